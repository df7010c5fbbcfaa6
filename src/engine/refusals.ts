/**
 * Refusals that Apache itself cannot send: `Require mod_ts` knows 401, 403 and 500, and no body.
 * The authorizer hands them to the handler of the ErrorDocument through Apache, see `TsRefusals` in
 * `apache-conf/mod_ts.conf`.
 *
 * Attack: a CGI program sets such a header, or reads one. So a refusal is sealed, and is valid for
 * one request line and client, for a minute.
 */
import { TokenSealer } from "../base/crypto.ts";
import { internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";

export interface Refusal {
  readonly status: number;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** In base64. */
  readonly body: string;
}

interface BoundRefusal extends Refusal {
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

const lifetimeMs = 60_000;

/** Writes and reads the refusals of one installation. */
export class Refusals {
  readonly #sealer: TokenSealer;

  /** @param secret shared by all workers */
  constructor(secret: string) {
    this.#sealer = new TokenSealer(secret, "refusal");
  }

  write(req: ApacheRequest, refusal: Refusal): string {
    const bound: BoundRefusal = { ...refusal, subject: subjectOf(req), time: Date.now() };
    return this.#sealer.write(bound);
  }

  /** The refusal, if it is ours, new, and that of this request. */
  read(req: ApacheRequest, token: string): Refusal | undefined {
    const refusal = this.#sealer.read(token) as BoundRefusal | undefined;
    if (!refusal || refusal.subject !== subjectOf(req)) return undefined;
    return Date.now() - refusal.time <= lifetimeMs ? refusal : undefined;
  }
}

/** A redirect inside Apache keeps the request line. */
function subjectOf(req: ApacheRequest): string {
  const { remoteAddress, remotePort, requestLine } = req[internals].context;
  return `${remoteAddress} ${remotePort} ${requestLine}`;
}
