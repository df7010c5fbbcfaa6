/**
 * SCGI requests from bytes: a netstring of names and values, each ended by a zero byte, then a body.
 * Without socket and timer, so that a fuzzer can drive it.
 *
 * Attacks: an endless length, a length that never comes, a name without a value, a variable that
 * is repeated. Each is malformed, none a question that the peer did not complete.
 *
 * Source: SCGI: A Simple Common Gateway Interface alternative (Neil Schemenauer, 2006), sections 3
 * and 4; D. J. Bernstein: Netstrings (1997).
 */
import type { Params } from "../request/headers.ts";

export type ScgiEvent =
  /** Bytes are missing, or a body arrives, which is discarded. */
  | { type: "wait" }
  /** Of the variables, each character is a byte. */
  | { type: "request"; params: Params }
  /** To be closed; later bytes are ignored. */
  | { type: "malformed"; reason: string };

const wait: ScgiEvent = { type: "wait" };

/** One connection, which is one request. */
export class ScgiReader {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Bytes of the netstring with length, colon and comma, once known. */
  #whole: number | undefined;
  #isOver = false;

  /** @param limit maximum size of the variables, in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that wait for the rest of the question. */
  get held(): number {
    return this.#isOver ? 0 : this.#bytes;
  }

  /** @param bytes cut anywhere */
  push(bytes: Buffer): ScgiEvent {
    if (this.#isOver || bytes.length === 0) return wait;
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
    const reason = this.#whole === undefined ? this.#readLength() : undefined;
    if (reason !== undefined) return this.#close({ type: "malformed", reason });
    if (this.#whole === undefined || this.#bytes < this.#whole) return wait;
    const whole = joined(this.#parts).subarray(0, this.#whole);
    return this.#close(readNetstring(whole));
  }

  /** Sets {@link #whole} as soon as the colon is there; returns what is wrong. */
  #readLength(): string | undefined {
    const head = joined(this.#parts);
    // Single bytes must not be concatenated again with all previous ones.
    this.#parts = [head];
    const colon = head.subarray(0, maxDigits + 1).indexOf(":");
    const digits = head.toString(
      "latin1",
      0,
      colon < 0 ? Math.min(head.length, maxDigits + 1) : colon,
    );
    const isPrefix = colon < 0 && digits.length <= maxDigits && /^(?:0|[1-9]\d*)?$/.test(digits);
    if (isPrefix) return undefined;
    if (!/^(?:0|[1-9]\d*)$/.test(digits) || colon < 0) return "no length at the beginning";
    const length = Number(digits);
    if (length > this.#limit) return `variables of ${length} bytes, more than ${this.#limit}`;
    this.#whole = colon + 1 + length + 1;
    return undefined;
  }

  #close(event: ScgiEvent): ScgiEvent {
    this.#isOver = true;
    this.#parts = [];
    return event;
  }
}

/** More than any limit needs. */
const maxDigits = 9;

/** A question mostly comes in one piece, which need not be copied. */
function joined(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}

function readNetstring(whole: Buffer): ScgiEvent {
  if (whole.at(-1) !== 0x2c) return malformed("no comma after the variables");
  const content = whole.toString("latin1", whole.indexOf(":") + 1, whole.length - 1);
  if (!content.endsWith("\0")) return malformed("a variable is incomplete");
  const texts = content.slice(0, -1).split("\0");
  if (texts.length % 2 !== 0) return malformed("a variable has no value");
  const params = new Map<string, string>();
  for (let index = 0; index < texts.length; index += 2) {
    params.set(texts[index] as string, texts[index + 1] as string);
  }
  // Another reader could use the other value.
  if (params.size * 2 !== texts.length) return malformed("a variable is repeated");
  if (texts[0] !== "CONTENT_LENGTH" || params.get("SCGI") !== "1")
    return malformed("not a request of SCGI");
  return { type: "request", params };
}

function malformed(reason: string): ScgiEvent {
  return { type: "malformed", reason };
}
