/**
 * The header block that a script writes before its body (RFC 3875, section 6.3).
 * @module
 */

/** A header block. */
export interface ScriptHead {
  /** Names and values in the order written. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** What came after the empty line; the beginning of the body. */
  readonly rest: Buffer;
}

/** Why a block is none; `nph` when the script writes the status line of HTTP. */
export class BadHead extends Error {
  override readonly name = "BadHead";
  readonly nph: boolean;

  constructor(reason: string, nph = false) {
    super(reason);
    this.nph = nph;
  }
}

/** Attack, or mistake: a script that writes for ever without an empty line would be kept in memory for ever. */
const byteLimit = 65_536;
const lineLimit = 100;

const lineFeed = 0x0a;

/** Takes the output of a script until the empty line has come. */
export class HeaderParser {
  readonly #fields: (readonly [string, string])[] = [];
  #pending: Buffer = Buffer.alloc(0);
  #seen = 0;

  /** Whether not one byte has come. */
  get untouched(): boolean {
    return this.#seen === 0 && this.#pending.length === 0;
  }

  /** Takes a part of the output. Gives the block when it is complete; throws {@link BadHead} when it is none. */
  push(chunk: Buffer): ScriptHead | undefined {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed)) {
      const line = bytes.subarray(0, end).toString("latin1").replace(/\r$/, "");
      bytes = bytes.subarray(end + 1);
      this.#seen += end + 1;
      if (this.#seen > byteLimit) throw tooLong();
      if (line === "") return { fields: this.#fields, rest: bytes };
      this.#fields.push(this.#parse(line));
    }
    if (this.#seen + bytes.length > byteLimit) throw tooLong();
    this.#pending = bytes;
    return undefined;
  }

  #parse(line: string): readonly [string, string] {
    const number = this.#fields.length + 1;
    if (number > lineLimit) throw new BadHead(`it has more than ${lineLimit} lines`);
    if (number === 1 && /^HTTP\/\d/.test(line)) {
      throw new BadHead(`it writes the status line ${quote(line)} itself`, true);
    }
    // RFC 9110, section 5.1: the name is a token, directly before the colon.
    const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new BadHead(`line ${number}, ${quote(line)}, is not of the form Name: value`);
    }
    return [name, strip(value)];
  }
}

/**
 * Without the blanks around it. Attack: a script puts what a client sent into a header. A pattern for blanks at the end begins anew at each of
 * 60,000 blanks in the middle, and holds up the worker for seconds; `trim()` would take the last byte of an `à`.
 */
function strip(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text, start)) start += 1;
  while (start < end && isBlank(text, end - 1)) end -= 1;
  return text.slice(start, end);
}

function isBlank(text: string, at: number): boolean {
  return text[at] === " " || text[at] === "\t";
}

function tooLong(): BadHead {
  return new BadHead(`no empty line ends its header within ${byteLimit} bytes`);
}

function quote(line: string): string {
  return JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}…` : line);
}
