/**
 * One login page and what belongs to it: its users, its sessions, its limits. Made of the options `mod_ts.login.*`.
 * @module
 */
import { join, resolve } from "node:path";
import { SectionOptions } from "../section-options.ts";
import { EndedSessions } from "./ended-sessions.ts";
import { FormTokens } from "./form-token.ts";
import { KeyFile } from "./key-file.ts";
import { type LoginSession, LoginSessions } from "./login-session.ts";
import { addressKey, RateLimit } from "./rate-limit.ts";
import { safeReturnPath } from "./return-path.ts";
import type { Dictionary } from "./sql-options.ts";
import type { Stores } from "./stores.ts";
import type { Verifier } from "./verifier.ts";

/** Folders of the installation, absolute. */
export interface LoginFolders {
  /** Where relative file names start. */
  readonly folder: string;
  /** Where the key and the list of ended sessions are kept, unless `mod_ts.login.state` names another folder. */
  readonly state: string;
}

const keys = [
  "location",
  "store",
  "title",
  "lifetime",
  "max_lifetime",
  "attempts",
  "key_file",
  "state",
  "secure",
];

/** Seconds until a user has another attempt, and a client. */
const userRefill = 60;
const addressRefill = 6;
/** Behind one address there may be an office. */
const clientsPerAddress = 5;

export class LoginRealm {
  /** Path of the login page. */
  readonly location: string;
  readonly title: string;
  readonly verifier: Verifier;
  readonly ended: EndedSessions;
  /** Cookies only for TLS, although Apache itself is spoken to without: a proxy in front of it does TLS. */
  readonly alwaysSecure: boolean;
  readonly #key: KeyFile;
  readonly #life: { idle: number; total: number };
  readonly #byUser: RateLimit;
  readonly #byAddress: RateLimit;
  #signers: { key: string; sessions: LoginSessions; tokens: FormTokens } | undefined;

  /** @throws ModTsError `MODTS_BAD_OPTION` */
  constructor(values: Dictionary, stores: Stores, folders: LoginFolders) {
    const options = new SectionOptions(values, "login");
    options.allowOnly(...keys);
    const location = options.required("location", "the path of the login page, e.g. /login");
    this.location =
      safeReturnPath(location) ?? options.fail("location", "it must be a path, e.g. /login");
    this.title = options.text("title") ?? "Log in";
    this.verifier = stores.verifier(readStore(options), values);
    this.alwaysSecure = readSecure(options);
    this.#life = {
      idle: options.number("lifetime", 8 * 3600, [60, 366 * 86_400]),
      total: options.number("max_lifetime", 7 * 86_400, [60, 366 * 86_400]),
    };
    const attempts = options.number("attempts", 10, [1, 1000]);
    this.#byUser = new RateLimit(attempts, userRefill);
    this.#byAddress = new RateLimit(attempts * clientsPerAddress, addressRefill);
    const { folder } = folders;
    const state = resolve(folder, options.text("state") ?? folders.state);
    const keyFile = options.text("key_file");
    this.#key = new KeyFile(resolve(folder, keyFile ?? join(state, "login.key")), !keyFile);
    this.ended = new EndedSessions(join(state, "ended-sessions"));
  }

  /** @throws ModTsError `MODTS_USERS_UNREADABLE` when there is no key */
  get sessions(): LoginSessions {
    return this.#signed().sessions;
  }

  /** @throws ModTsError `MODTS_USERS_UNREADABLE` when there is no key */
  get tokens(): FormTokens {
    return this.#signed().tokens;
  }

  /** The first of these cookies that is a session in force, its user as the store has him now. Rejects as the store does. */
  async findSession(cookies: readonly string[]): Promise<LoginSession | undefined> {
    const { sessions } = this;
    for (const cookie of cookies) {
      const session = sessions.read(cookie);
      if (!session || this.ended.has(session.id)) continue;
      const hash = await this.verifier.find(session.user);
      if (hash !== undefined && sessions.fits(session, hash)) return session;
    }
    return undefined;
  }

  /**
   * Counts an attempt before its password is looked at, since many may come at the same moment. Gives the seconds to wait, 0 if none;
   * {@link forgive} takes the user's part back.
   */
  attempt(user: string, address: string): number {
    return this.#byAddress.take(addressKey(address)) || this.#byUser.take(user.slice(0, 255));
  }

  /** The password was right. The address keeps its count: an account of one's own must not buy more guesses at others. */
  forgive(user: string): void {
    this.#byUser.giveBack(user.slice(0, 255));
  }

  #signed(): { sessions: LoginSessions; tokens: FormTokens } {
    const key = this.#key.get();
    if (this.#signers?.key !== key) {
      const realm = JSON.stringify([this.location, this.verifier.store.name]);
      this.#signers = {
        key,
        sessions: new LoginSessions(key, realm, { life: this.#life }),
        tokens: new FormTokens(key, realm),
      };
    }
    return this.#signers;
  }
}

function readStore(options: SectionOptions): "htpasswd" | "sql" {
  const store = options.required("store", "htpasswd or sql");
  if (store === "htpasswd" || store === "sql") return store;
  return options.fail("store", "it must be htpasswd or sql");
}

function readSecure(options: SectionOptions): boolean {
  const secure = options.text("secure", "auto");
  if (secure === "auto" || secure === "on") return secure === "on";
  return options.fail("secure", "it must be auto or on");
}
