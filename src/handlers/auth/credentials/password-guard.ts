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
import type { AttemptLimits } from "./attempt-limits.ts";
import { addressKey } from "./rate-limit.ts";
import type { Verdict, Verifier } from "./verifier.ts";

export class PasswordGuard {
  readonly verifier: Verifier;
  readonly #limits: AttemptLimits | undefined;

  /** @param limits none: unlimited */
  constructor(verifier: Verifier, limits: AttemptLimits | undefined) {
    this.verifier = verifier;
    this.#limits = limits;
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
    const attempt = this.#limits?.begin(client, name);
    let wait = 0;
    const verdict = await this.verifier.verify(user, password, async (isCached) => {
      // Before the hash is computed, since many attempts may come at the same moment.
      wait = (await attempt?.take(isCached)) ?? 0;
      return wait === 0;
    });
    if (verdict.result !== "right") {
      report(req, name, verdict.result);
      return { wait };
    }
    if (!verdict.isCached) {
      attempt?.succeed();
      const { uri } = req[internals].context;
      req.logError(`user ${name}: authentication succeeded for "${uri}"`, "info");
    }
    return { hash: verdict.hash };
  }
}

type Refusal = Exclude<Verdict["result"], "right">;

const messages: Readonly<Record<Refusal, (user: string, uri: string) => string>> = {
  unknown: (user, uri) => `AH01618: user ${user} not found: ${uri}`,
  wrong: (user, uri) =>
    `AH01617: user ${user}: authentication failure for "${uri}": Password Mismatch`,
  unchecked: (user, uri) => `user ${user}: the password for "${uri}" cannot be checked`,
  limited: (user, uri) =>
    `AH01617: user ${user}: authentication failure for "${uri}": Too Many Attempts`,
};

function report(req: ApacheRequest, user: string, reason: Refusal): void {
  const { uri, useragentIp: client } = req;
  req.logError(messages[reason](user, uri));
  counter.addEvent("passwords_refused");
  refusalChannel.publish({ user, client, uri, reason } satisfies RefusalRecord);
}
