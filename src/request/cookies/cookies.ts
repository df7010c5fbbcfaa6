/**
 * Cookies of the request. Invalid ones are skipped, so that a broken cookie of a neighboring site
 * or a browser extension never costs a visitor the page.
 *
 * The parser of the package `cookie` keeps only the first of several values; here all count, as a
 * neighboring host may have planted one.
 */
import { attempt } from "../../base/attempt.ts";

/** `req.cookies`: names and values in the order sent. Any name is safe, even `__proto__`. */
export class Cookies implements Iterable<[string, string]> {
  readonly #pairs: readonly [string, string][];

  /** @param headers values of `Cookie`; HTTP/2 allows several (RFC 9113, section 8.2.3) */
  constructor(headers: readonly string[]) {
    this.#pairs = headers.flatMap((header) => header.split(";")).flatMap(readPair);
  }

  /** Number of cookies; a name with two values counts twice. */
  get size(): number {
    return this.#pairs.length;
  }

  /** The first value: that of the longest path, as sorted by browsers (RFC 6265, section 5.4). */
  get(name: string): string | undefined {
    return this.#pairs.find(([known]) => known === name)?.[1];
  }

  /** Every value of a name, in the order sent. */
  getAll(name: string): string[] {
    return this.#pairs.filter(([known]) => known === name).map(([, value]) => value);
  }

  /** Whether the name has a value. */
  has(name: string): boolean {
    return this.#pairs.some(([known]) => known === name);
  }

  /** Distinct names, in the order sent. */
  names(): string[] {
    return [...new Set(this.#pairs.map(([name]) => name))];
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.#pairs[Symbol.iterator]();
  }
}

function readPair(text: string): [string, string][] {
  const equals = text.indexOf("=");
  const name = text.slice(0, Math.max(equals, 0)).trim();
  if (name === "") return [];
  return [[name, decode(unquote(text.slice(equals + 1).trim()))]];
}

/** Quotes are part of the value for browsers, syntax for some servers (RFC 6265, 4.1.1, 5.2). */
function unquote(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value;
}

/** Reverses {@link formatSetCookie}; a bare `%` of another program is kept. */
function decode(value: string): string {
  return value.includes("%") ? attempt(() => decodeURIComponent(value), value) : value;
}
