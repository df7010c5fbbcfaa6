/**
 * Password checks with limits and log lines, for the Basic handlers and the login form.
 *
 * Attack: guessing. A guess takes a token of its client and one of its user. Refusals are logged in
 * the words of mod_auth_basic, which fail2ban's filter `apache-auth` reads.
 */
import { counter } from "../../../base/counts.ts";
import { refusalChannel, type RefusalRecord } from "../../../base/channels.ts";
import { internals } from "../../../request/internals.ts";
import type { ApacheRequest } from "../../../request/request.ts";
import { addressKey, RateLimit } from "./rate-limit.ts";
import type { Verdict, Verifier } from "./verifier.ts";

/** Seconds until a user, and a client, has another attempt. */
const userRefill = 60;
const clientRefill = 6;
/** An office may share one address. */
const usersPerClient = 5;

/** Users with the addresses of their last logins; the oldest entry is dropped. */
const familiarLimit = 10_000;

export class PasswordGuard {
  readonly verifier: Verifier;
  readonly #byUser: RateLimit | undefined;
  readonly #byClient: RateLimit | undefined;
  readonly #familiar = new Set<string>();

  /** @param attempts for one user, before there is one a minute; 0 is unlimited */
  constructor(verifier: Verifier, attempts: number) {
    this.verifier = verifier;
    if (attempts === 0) return;
    this.#byUser = new RateLimit(attempts, userRefill);
    this.#byClient = new RateLimit(attempts * usersPerClient, clientRefill);
  }

  /**
   * The hash in force if the password is right, else `wait`, the seconds until the next attempt or 0.
   * Rejects as {@link Verifier.verify} does.
   */
  async check(
    req: ApacheRequest,
    user: string,
    password: string,
  ): Promise<{ readonly hash: string } | { readonly hash?: undefined; readonly wait: number }> {
    const client = addressKey(req.useragentIp);
    const name = user.slice(0, 255);
    // Attack: guesses lock out the owner. Addresses from which the user has logged in count apart.
    const pair = `${client} ${name}`;
    const key = this.#familiar.has(pair) ? pair : name;
    let wait = 0;
    const verdict = await this.verifier.verify(user, password, (isCached) => {
      // Before the hash is computed, since many attempts may come at the same moment.
      wait = this.#byClient?.take(client, isCached) || this.#byUser?.take(key, isCached) || 0;
      return wait === 0;
    });
    if (verdict.result !== "right") {
      report(req, name, verdict.result);
      return { wait };
    }
    if (!verdict.isCached) {
      this.#byClient?.giveBack(client);
      this.#byUser?.giveBack(key);
      this.#remember(pair);
      const { uri } = req[internals].context;
      req.logError(`user ${name}: authentication succeeded for "${uri}"`, "info");
    }
    return { hash: verdict.hash };
  }

  #remember(pair: string): void {
    this.#familiar.delete(pair);
    const [oldest] = this.#familiar;
    if (this.#familiar.size >= familiarLimit) this.#familiar.delete(oldest as string);
    this.#familiar.add(pair);
  }
}

const messages: Readonly<Record<Exclude<Verdict["result"], "right">, string>> = {
  unknown: "AH01618: user {user} not found: {uri}",
  wrong: 'AH01617: user {user}: authentication failure for "{uri}": Password Mismatch',
  limited: 'AH01617: user {user}: authentication failure for "{uri}": Too Many Attempts',
};

function report(req: ApacheRequest, user: string, reason: keyof typeof messages): void {
  const values = { user, uri: req.uri };
  const text = messages[reason].replace(
    /\{(user|uri)\}/g,
    (_, name: "user" | "uri") => values[name],
  );
  req.logError(text);
  const record: RefusalRecord = { user, client: req.useragentIp, uri: req.uri, reason };
  counter.addEvent("passwords_refused");
  refusalChannel.publish(record);
}
