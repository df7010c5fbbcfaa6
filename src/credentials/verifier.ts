/**
 * Does this password belong to this user? The same for every store.
 *
 * Attacks that this page answers: learning who has an account from the time that an answer takes; a password that is asked about
 * with every image of a page (Basic), each check costing tens of milliseconds.
 * @module
 */
import { createHmac, randomBytes } from "node:crypto";
import { log, textOf } from "../log.ts";
import { hashPassword, schemeOf, verifyPassword } from "./password-hash.ts";
import type { UserStore } from "./user-store.ts";

/** How many right passwords are remembered; the oldest goes first. */
const cacheLimit = 10_000;
/** Characters of a user name. */
const userLimit = 255;

/** Checks the passwords of one store. */
export class Verifier {
  readonly store: UserStore;
  readonly #cacheSeconds: number;
  /** Of this process alone: what is remembered is worth nothing to who reads it elsewhere. */
  readonly #key = randomBytes(32);
  /** Until when, in milliseconds since 1970, by HMAC of user, password and hash. */
  readonly #verified = new Map<string, number>();

  /**
   * @param cacheSeconds for how long a password that was right is not hashed again. The store is asked in any case, so that a
   * changed password or a removed user counts at once. 0: never
   */
  constructor(store: UserStore, cacheSeconds: number) {
    this.store = store;
    this.#cacheSeconds = cacheSeconds;
  }

  /**
   * The hash in force when the password is right, else undefined: wrong password, no such user, a hash that does not count. All of
   * these take the same time. Rejects as the store and {@link verifyPassword} do.
   */
  async verify(user: string, password: string): Promise<string | undefined> {
    if (!isUserName(user)) return undefined;
    const hash = await this.store.find(user);
    const counts = hash !== undefined && this.store.accepts(hash);
    const ticket = this.#ticket(user, password, hash ?? "");
    if (counts && this.#isRemembered(ticket)) return hash;
    const fits = await verifyPassword(counts ? hash : this.store.decoy(), password);
    if (!fits || !counts) return undefined;
    const current = await this.#renew(user, password, hash);
    this.#remember(current === hash ? ticket : this.#ticket(user, password, current));
    return current;
  }

  /** The hash of a user's password in force; undefined when nobody can log in under this name. */
  async find(user: string): Promise<string | undefined> {
    const hash = isUserName(user) ? await this.store.find(user) : undefined;
    return hash !== undefined && this.store.accepts(hash) ? hash : undefined;
  }

  async #renew(user: string, password: string, hash: string): Promise<string> {
    if (!this.store.replace || schemeOf(hash) === "argon2") return hash;
    try {
      await this.store.replace(user, hash, await hashPassword(password));
      log("info", `the password hash of ${user} is argon2id now, and was ${schemeOf(hash)}`);
      // What is stored, not what we stored: of two logins at the same moment one comes second.
      return (await this.store.find(user)) ?? hash;
    } catch (error) {
      // The password is right all the same; the next login tries again.
      log("warn", `the password hash of ${user} could not be renewed: ${textOf(error)}`);
      return hash;
    }
  }

  #ticket(user: string, password: string, hash: string): string {
    const text = JSON.stringify([user, password, hash]);
    return createHmac("sha256", this.#key).update(text).digest("base64");
  }

  #isRemembered(ticket: string): boolean {
    return (this.#verified.get(ticket) ?? 0) > Date.now();
  }

  #remember(ticket: string): void {
    if (this.#cacheSeconds === 0) return;
    this.#verified.delete(ticket);
    if (this.#verified.size >= cacheLimit) {
      this.#verified.delete(this.#verified.keys().next().value as string);
    }
    this.#verified.set(ticket, Date.now() + this.#cacheSeconds * 1000);
  }
}

/** No control characters: a line break would write its own line into the access log. */
function isUserName(user: string): boolean {
  return user !== "" && user.length <= userLimit && !/[\x00-\x1f\x7f]/.test(user);
}
