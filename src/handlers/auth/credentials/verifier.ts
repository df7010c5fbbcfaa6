/**
 * Password checks against a store of users.
 *
 * Attack: the response time reveals which accounts exist, or have an old hash. A refusal computes one
 * hash of each kind in the store, for every name.
 *
 * Attack: Basic sends the password with every image of a page, and a check takes tens of milliseconds.
 * Results are cached.
 */
import { createHmac, randomBytes } from "node:crypto";
import { setBounded } from "../../../base/cache.ts";
import { isModTsError, report } from "../../../base/errors.ts";
import { log, textOf } from "../../../base/log.ts";
import { hashPassword, kindOf, schemeOf, verifyPassword } from "../../../base/password-hash.ts";

export interface UserStore {
  /** Kind and options, which tell this store from others. */
  readonly name: string;
  /** Absolute paths that hold the users; a database on a server has none. */
  readonly files?: readonly string[];
  /**
   * The hash of a user's password; undefined if there is no such user. The name must match exactly.
   * Rejects with a `ModTsError` if the store is unavailable.
   */
  find(user: string): Promise<string | undefined>;
  /** A hash of each kind in use; at least one, and not many. */
  decoys(): Iterable<string>;
  /** Whether hashes of this form are accepted. */
  accepts(hash: string): boolean;
  /** Replaces the hash `old`, unless it has changed meanwhile; missing if hashes are not renewed. */
  replace?(user: string, old: string, hash: string): Promise<void>;
  close(): Promise<void>;
}

/** `unchecked`: the hash of the user cannot be checked here. */
type Refusal = "wrong" | "unknown" | "unchecked";

export type Verdict =
  | { readonly result: "right"; readonly hash: string; readonly isCached: boolean }
  | { readonly result: Refusal | "limited"; readonly hash?: undefined };

/** Cached results; the oldest is dropped. */
const cacheLimit = 10_000;
/** Characters of a user name. */
const userLimit = 255;

export class Verifier {
  readonly store: UserStore;
  readonly #cacheMs: number;
  /** Of this process only, so that the cache is worthless elsewhere. */
  readonly #key = randomBytes(32);
  /** Results by HMAC of user, password and hash, until a time in milliseconds since 1970. */
  readonly #cache = new Map<
    string,
    { readonly result: "right" | Refusal; readonly until: number }
  >();

  /**
   * @param cacheSeconds time for which a result is cached; 0 disables the cache. The store is queried
   * in any case, so that a changed password or a removed user takes effect at once
   */
  constructor(store: UserStore, cacheSeconds: number) {
    this.store = store;
    this.#cacheMs = cacheSeconds * 1000;
  }

  /**
   * Whether the password is right, and the hash in force. Rejects as the store and
   * {@link verifyPassword} do.
   * @param mayGuess false ends the check as `limited`. The same wrong password again is no new guess.
   * Attack: a right password in the cache would answer guesses without limit, so it asks, too
   */
  async verify(
    user: string,
    password: string,
    mayGuess: (isCached: boolean) => boolean | Promise<boolean> = () => true,
  ): Promise<Verdict> {
    if (!isUserName(user)) return { result: "unknown" };
    const hash = await this.store.find(user);
    const counts = hash !== undefined && this.store.accepts(hash);
    const ticket = this.#ticket(user, password, hash ?? "");
    const cached = this.#cached(ticket);
    if (cached !== undefined && cached !== "right") return { result: cached };
    if (!(await mayGuess(cached === "right"))) return { result: "limited" };
    if (cached && counts) return { result: "right", hash, isCached: true };
    const result = counts ? await compare(hash, password) : "unknown";
    if (!counts || result !== "right") {
      await this.#takeTime(counts ? kindOf(hash) : "", password);
      this.#remember(ticket, result);
      return { result: result as Refusal };
    }
    const current = await this.#renew(user, password, hash);
    this.#remember(current === hash ? ticket : this.#ticket(user, password, current), "right");
    return { result: "right", hash: current, isCached: false };
  }

  /** The hash in force of a user; undefined if the user cannot log in. */
  async find(user: string): Promise<string | undefined> {
    const hash = isUserName(user) ? await this.store.find(user) : undefined;
    return hash !== undefined && this.store.accepts(hash) ? hash : undefined;
  }

  /** Computes a hash of each kind but one. */
  async #takeTime(computed: string, password: string): Promise<void> {
    for (const decoy of this.store.decoys())
      if (kindOf(decoy) !== computed) await compare(decoy, password);
  }

  async #renew(user: string, password: string, hash: string): Promise<string> {
    if (!this.store.replace || schemeOf(hash) === "argon2") return hash;
    try {
      await this.store.replace(user, hash, await hashPassword(password));
      log("info", `the password hash of ${user} is argon2id now, and was ${schemeOf(hash)}`);
      // Of two logins at the same moment, only one stores its hash.
      return (await this.store.find(user)) ?? hash;
    } catch (error) {
      // The password is right; the next login tries again.
      log("warn", `the password hash of ${user} could not be renewed: ${textOf(error)}`);
      return hash;
    }
  }

  #ticket(user: string, password: string, hash: string): string {
    const text = JSON.stringify([user, password, hash]);
    return createHmac("sha256", this.#key).update(text).digest("base64");
  }

  #cached(ticket: string): "right" | Refusal | undefined {
    const known = this.#cache.get(ticket);
    return known && known.until > Date.now() ? known.result : undefined;
  }

  #remember(ticket: string, result: "right" | Refusal): void {
    if (this.#cacheMs === 0) return;
    setBounded(this.#cache, ticket, { result, until: Date.now() + this.#cacheMs }, cacheLimit);
  }
}

/**
 * Attack: the status reveals which names exist if the package for their hashes, or for the dummy
 * hash, is missing, or if a hash cannot be read. So such a login fails like one with a wrong password,
 * except in the log: fail2ban must not ban users for it.
 */
async function compare(hash: string, password: string): Promise<"right" | "wrong" | "unchecked"> {
  try {
    return (await verifyPassword(hash, password)) ? "right" : "wrong";
  } catch (error) {
    if (!isModTsError(error)) log("error", `a password hash cannot be checked: ${textOf(error)}`);
    else if (error.code === "MODTS_PACKAGE_MISSING") report(error);
    else throw error;
    return "unchecked";
  }
}

/** Attack: a line break writes another line into the access log. */
function isUserName(user: string): boolean {
  return user !== "" && user.length <= userLimit && !/[\x00-\x1f\x7f]/.test(user);
}
