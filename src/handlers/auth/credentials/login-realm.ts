/** One login page with its users, sessions and limits, from the options `mod_ts.login.*`. */
import { join, resolve } from "node:path";
import { type Dictionary, SectionOptions } from "../../../base/options.ts";
import { TicketStore } from "../../../base/ticket-store.ts";
import { KeyFile } from "./files.ts";
import { PasswordGuard } from "./password-guard.ts";
import type { EndedSessions } from "./ended-sessions.ts";
import { FormTokens, type LoginSession, LoginSessions } from "./login-session.ts";
import { safeReturnPath } from "./login-page.ts";
import type { Stores } from "./stores.ts";
import type { Verifier } from "./verifier.ts";

/** Directories of the installation, absolute. */
export interface LoginDirectories {
  /** Directory of the sockets, with the tickets. */
  readonly run: string;
  /** Base of relative file names. */
  readonly directory: string;
  /** Default of `mod_ts.login.state`, for the key and the list of ended sessions. */
  readonly state: string;
}

const keys = (
  "location store title lifetime max_lifetime attempts limits limits_file ended ended_file " +
  "key_file state secure"
).split(" ");

export class LoginRealm {
  readonly location: string;
  readonly title: string;
  readonly verifier: Verifier;
  readonly guard: PasswordGuard;
  readonly ended: EndedSessions;
  /** Cookies for TLS even if Apache is reached without it, behind a proxy that terminates TLS. */
  readonly alwaysSecure: boolean;
  /** Tickets, by which Apache itself repeats a decision; a logout ends them. */
  readonly tickets: TicketStore;
  readonly #key: KeyFile;
  readonly #life: { idle: number; total: number };
  #signers: { key: string; sessions: LoginSessions; tokens: FormTokens } | undefined;

  /** Throws `MODTS_BAD_OPTION`. */
  constructor(values: Dictionary, stores: Stores, directories: LoginDirectories) {
    const options = new SectionOptions(values, "login");
    options.allowOnly(...keys);
    const location = options.required("location", "the path of the login page, e.g. /login");
    this.location =
      safeReturnPath(location) ?? options.fail("location", "expected a path, e.g. /login");
    this.title = options.text("title") ?? "Log in";
    this.verifier = stores.guard(readStore(options), values).verifier;
    this.alwaysSecure = readSecure(options);
    this.#life = {
      idle: options.number("lifetime", 8 * 3600, [60, 366 * 86_400]),
      total: options.number("max_lifetime", 7 * 86_400, [60, 366 * 86_400]),
    };
    const scope = `login ${this.location} ${this.verifier.store.name}`;
    this.guard = new PasswordGuard(this.verifier, stores.limits(options, scope, 1));
    const { directory, run } = directories;
    this.tickets = new TicketStore(run);
    const state = resolve(directory, options.text("state") ?? directories.state);
    const keyFile = options.text("key_file");
    this.#key = new KeyFile(resolve(directory, keyFile ?? join(state, "login.key")), !keyFile);
    this.ended = stores.ended(options, state);
  }

  /** Absolute paths of users and key. */
  get files(): readonly string[] {
    return [this.#key.path, ...(this.verifier.store.files ?? [])];
  }

  /** Throws `MODTS_USERS_UNREADABLE` if there is no key. */
  get sessions(): LoginSessions {
    return this.#signed().sessions;
  }

  /** Throws `MODTS_USERS_UNREADABLE` if there is no key. */
  get tokens(): FormTokens {
    return this.#signed().tokens;
  }

  /** The first cookie that is a valid session of a user in the store. Rejects as the store does. */
  async findSession(cookies: readonly string[]): Promise<LoginSession | undefined> {
    const { sessions } = this;
    for (const cookie of cookies) {
      const session = sessions.read(cookie);
      if (!session || (await this.ended.has(session.id))) continue;
      const hash = await this.verifier.find(session.user);
      if (hash !== undefined && sessions.fits(session, hash)) return session;
    }
    return undefined;
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
  return options.fail("store", `expected htpasswd or sql, not "${store}"`);
}

function readSecure(options: SectionOptions): boolean {
  const secure = options.flagOrAuto("secure");
  return secure === false ? options.fail("secure", "expected Auto or On") : secure === true;
}
