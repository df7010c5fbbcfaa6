/**
 * The answer of an authorizer, in the form that mod_authnz_fcgi understands.
 *
 * mod_authnz_fcgi does not treat answers as documented (tried on 2.4.71). With 200, all headers are
 * sent to the client, `Connection` included. With any other status, the body is taken for an
 * ErrorDocument: one that begins with `/` becomes an internal redirect, with a URL a 302, and a
 * first `"` is dropped; its type becomes HTML; beyond 8 KB it is lost.
 */
import type { Readable } from "node:stream";
import { createSeal } from "../base/crypto.ts";
import { ModTsError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import type { Refusal } from "../engine/refusals.ts";
import { badHeader, formatCgiHead, formatNotes, spellings } from "../request/headers.ts";
import type { Exchange } from "../request/exchange.ts";
import { internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import type { Passed } from "./trust.ts";

/** Bytes of a deny body that reach the client. */
const bodyLimit = 8_000;

/** Headers that speak of this connection or are Apache's to set; `Status` and `Variable-*` would be commands to it. */
const ownHeaders =
  /^(?:connection|keep-alive|date|transfer-encoding|content-length|trailer|upgrade|status|variable-.*)$/i;

/** Collects what a phase answers in place of the resource. */
export class DenyExchange implements Exchange {
  readonly hasErrorDocuments = true;
  readonly #controller = new AbortController();
  readonly #chunks: Uint8Array[] = [];
  #status = 500;
  #headers: string[] = [];
  #begun = false;
  #ended = false;

  readonly flush: () => void;

  /** @param flush sends the answer, as far as it is known */
  constructor(flush = (): void => {}) {
    this.flush = flush;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  /** An authorizer sees no body: Apache sends none. */
  get hasBody(): boolean {
    return false;
  }
  body(): Readable {
    throw new ModTsError("MODTS_NO_BODY");
  }
  get begun(): boolean {
    return this.#begun;
  }
  get ended(): boolean {
    return this.#ended;
  }
  begin(status: number, _reason: string | undefined, headers: string[]): void {
    this.#begun = true;
    this.#status = status;
    this.#headers = headers;
  }
  write(chunk: Uint8Array | string): boolean {
    this.#chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    return true;
  }
  drain(): Promise<void> {
    return Promise.resolve();
  }
  end(chunk?: Uint8Array | string): void {
    if (chunk !== undefined) this.write(chunk);
    this.#ended = true;
  }
  abort(): void {
    this.#status = 500;
    this.#chunks.length = 0;
    this.#ended = true;
    this.#controller.abort();
  }

  /**
   * The answer, once it is complete.
   * @param proofs header lines, see {@link Proofs}
   */
  toBytes(proofs: readonly string[]): Buffer {
    // 200 means "let it pass" here: a page that a phase wrote itself must not become a permission.
    const status = this.#status < 300 ? 403 : this.#status;
    const { body, type } = this.#body();
    const headers = withoutOwn(this.#headers);
    // Apache labels every body HTML in Latin-1; the true type takes the way through `mod_ts.conf`.
    const label = body.length === 0 ? [] : ["Mod-Ts-Type", type];
    const head = answerOf(status, [...keepLocation(status, headers), ...label, ...proofs]);
    return Buffer.concat([head, withoutCommand(body)]);
  }

  /**
   * The refusal, if Apache cannot send it: with `Require mod_ts` it knows only 403 and 500, and no
   * body. A 401 becomes a 403, too: the password has been accepted.
   */
  get refusal(): Refusal | undefined {
    const status = this.#status < 300 ? 403 : this.#status;
    if (this.#chunks.length === 0 && [401, 403, 500].includes(status)) return undefined;
    const headers = withoutOwn(this.#headers);
    return { status, headers, body: this.#body().body.toString("base64") };
  }

  #body(): { body: Buffer; type: string } {
    const body = Buffer.concat(this.#chunks);
    const at = this.#headers.findIndex(
      (name, index) => index % 2 === 0 && /^content-type$/i.test(name),
    );
    const type = (at < 0 ? undefined : this.#headers[at + 1]) ?? "text/html; charset=utf-8";
    if (body.length > bodyLimit) {
      log("warn", `an answer of ${body.length} bytes is more than Apache passes on (${bodyLimit})`);
      return { body: Buffer.alloc(0), type: "text/html" };
    }
    return { body, type };
  }
}

function withoutCommand(body: Buffer): Buffer {
  // Leading white space means nothing in HTML, JSON and plain text, and Apache no longer takes the
  // body for an address. `403: no` is one to Apache: such characters and a colon (`ap_is_url`).
  const isCommand = /^(?:["/]|[a-z0-9+.-]+:)/i.test(body.toString("latin1"));
  return isCommand ? Buffer.concat([Buffer.from("\n"), body]) : body;
}

/** Apache keeps the `Location` of a redirect only; that of another refusal takes the way through `mod_ts.conf`. */
function keepLocation(status: number, headers: readonly string[]): readonly string[] {
  if (status < 400) return headers;
  return headers.map((text, index) => {
    return index % 2 === 0 && /^location$/i.test(text) ? "Mod-Ts-Location" : text;
  });
}

/** What a permission tells Apache, beside the variables and headers of handlers. */
export interface Permission {
  /** Whether Apache takes the user from this answer. */
  readonly setsUser: boolean;
  /** See `trust.ts`. */
  readonly passed: Passed;
  /** The value of `MOD_TS_PROOF`. */
  readonly proof: string;
  /** Further header lines. */
  readonly proofs: readonly string[];
}

export function allow(req: ApacheRequest, { setsUser, passed, proof, proofs }: Permission): Buffer {
  const { environment } = req[internals].context;
  const notes = formatNotes(req.notes.entries());
  const variables: [string, string][] = [
    ...(setsUser ? [["REMOTE_USER", req.user ?? ""] as [string, string]] : []),
    ["MOD_TS_PASSED", passed.grant],
    ["MOD_TS_JUDGED", passed.judged],
    ["MOD_TS_PROOF", proof],
    ...(notes ? [["MOD_TS_NOTES", notes] as [string, string]] : []),
    ...(req.contentType ? [["MOD_TS_CONTENT_TYPE", req.contentType] as [string, string]] : []),
    ...[...req.subprocessEnv.entries()].filter(([name, value]) => environment[name] !== value),
  ];
  const headers = withoutOwn(req[internals].response.rawHeaders());
  return answerOf(200, [
    ...variables.flatMap(([name, value]) => [variableName(name), variableValue(value)]),
    ...headers,
    ...proofs,
  ]);
}

/**
 * Attack: a shared cache stores the resource for all users. It avoids `Authorization`, but not
 * cookies, other tokens and allowed addresses.
 */
export function keepPrivate(req: ApacheRequest): void {
  if (req.headersIn.has("Authorization") || req.headersOut.has("Cache-Control")) return;
  req.errHeadersOut.setDefault("Cache-Control", "private");
}

/**
 * A refusal for the handler of the ErrorDocument of 500, see `TsRefusals` in `mod_ts.conf`. Apache joins the lines.
 */
export function answerRefusal(token: string): Buffer {
  const lines = token.match(/.{1,8000}/g) ?? [];
  return answerOf(
    500,
    lines.flatMap((line) => ["Mod-Ts-Refusal", line]),
  );
}

/** An answer of a status only: for `TsStatus`, or after a failure. */
export function answerStatus(status: number, proofs: readonly string[] = []): Buffer {
  return answerOf(status, proofs);
}

/** What tells the request of a question from all others. */
export interface Asked {
  /** `MOD_TS:SEAL` of Apache: the MAC of the question, or a ticket with the time of the request. */
  readonly seal: string;
  readonly file: string;
}

/**
 * Proofs that an answer is the sidecar's, which Apache verifies by `TsRequireProof` of `mod_ts.conf`.
 *
 * Attack: while nothing listens on the port, any local user can listen there and let everybody in. What
 * Apache has sent them, and answers that they have seen before, are of no use: a MAC holds for one
 * request and one file.
 */
export class Proofs {
  readonly #mac: (text: string | Buffer) => string;

  /** @param secret shared with Apache; without one, anybody can write a proof */
  constructor(secret: string) {
    this.#mac = createSeal(secret, "answer");
  }

  /** The value of `MOD_TS_PROOF`: digests of `MOD_TS_JUDGED` passed in this request, and for this file. */
  passed({ seal, file }: Asked, judged: string): string {
    const inRequest = this.#mac(`judged ${seal} ${judged}`);
    return [inRequest, this.#forEach("passed ", file, ` ${seal} ${judged}`)].join(",");
  }

  /** The value of `Mod-Ts-Declined`: other Require lines decide. */
  declined({ seal, file }: Asked, lines: readonly string[]): string {
    return lines.map((line) => this.#forEach(`declined ${seal} `, file, ` ${line}`)).join(",");
  }

  /** The value of `Mod-Ts-Proof`: that the sidecar has answered in a request of this time. */
  answered(time: string): string {
    return this.#mac(`answered ${time}`);
  }

  #forEach(before: string, file: string, after: string): string {
    const macs = spellings(file).map((bytes) =>
      this.#mac(Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)])),
    );
    return macs.join(",");
  }
}

function answerOf(status: number, headers: readonly string[]): Buffer {
  return Buffer.from(formatCgiHead(status, headers), "utf8");
}

function withoutOwn(headers: readonly string[]): string[] {
  return headers.filter((_, index) => !ownHeaders.test(headers[index & ~1] as string));
}

/** Anything else could end the header line, or name a header instead of a variable. */
function variableName(name: string): string {
  if (/^\w+$/.test(name)) return `Variable-${name}`;
  throw badHeader(name, "a variable is made of letters, digits and _");
}

function variableValue(value: string): string {
  if (!/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) return value;
  throw badHeader("a variable", "it holds control characters");
}
