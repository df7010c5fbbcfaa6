/**
 * The cookies that the browser sent. Tolerant: what cannot be read is skipped, so that a broken cookie of a neighbouring site or
 * of a browser extension never costs a visitor the page.
 *
 * The parser of the package `cookie` keeps the first of several values alone; here all of them count, as a neighbouring host may have
 * planted one beside ours.
 * @module
 */

/** `req.cookies`: names with their values, in the order sent. No name is special: `__proto__` is as ordinary as `id`. */
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

  /** The first value of a name: of the longest path, as browsers sort them (RFC 6265, section 5.4). Undefined when there is none. */
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

/** Quotes belong to the value for browsers, but to the syntax for some servers (RFC 6265, section 4.1.1, against 5.2). */
function unquote(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value;
}

/** What {@link formatSetCookie} escaped; a value that another program wrote with a bare `%` stays as it is. */
function decode(value: string): string {
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
