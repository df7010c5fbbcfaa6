/** Tables of httpd and mod_python: case-insensitive names, several values each, in order. */
import { STATUS_CODES, validateHeaderName, validateHeaderValue } from "node:http";
import { inspect } from "node:util";
import { badArgument, ModTsError } from "../base/errors.ts";
import { type Dictionary, emptyDictionary } from "../base/options.ts";

/** Initial content of a table; of a repeated name the last value. */
export type TableInit = Readonly<Record<string, string | number>> | Iterable<[string, string]>;

/**
 * A multi-valued table with names that ignore case, e.g. `req.headersIn`, `req.notes`.
 *
 * The entries are one flat list, so no name is special: `__proto__` is as ordinary as `host`.
 */
export class HeaderTable implements Iterable<[string, string]> {
  #list: readonly string[];
  #owned = false;

  /** @param init First entries; none by default. */
  constructor(init?: TableInit) {
    this.#list = [];
    if (init) this.update(init);
  }

  /** A view of names and values alternating; the list is copied at the first change. */
  static fromRaw(list: readonly string[]): HeaderTable {
    const table = new HeaderTable();
    table.#list = list;
    return table;
  }

  /** Number of entries; a name with two values counts twice. */
  get size(): number {
    return this.#list.length / 2;
  }

  /** The first value of a name, else `fallback`. */
  get(name: string): string | undefined;
  get(name: string, fallback: string): string;
  get(name: string, fallback?: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 ? fallback : this.#list[at + 1];
  }

  /** Every value of a name, in order; empty when there is none. */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (let at = this.#find(name, 0); at >= 0; at = this.#find(name, at + 2)) {
      values.push(this.#list[at + 1] as string);
    }
    return values;
  }

  /** `table[name]` of mod_python: one value, a list of several, or undefined. */
  at(name: string): string | string[] | undefined {
    const values = this.getAll(name);
    return values.length > 1 ? values : values[0];
  }

  /** Whether the name has a value. */
  has(name: string): boolean {
    return this.#find(name, 0) >= 0;
  }

  /** Replaces every value of a name, at the place of the first one; a new name is appended. */
  set(name: string, value: string | number): this {
    const text = toText(name, value);
    this.beforeChange(name, text);
    const list = this.#own();
    const at = this.#find(name, 0);
    if (at < 0) list.push(name, text);
    else {
      list[at] = name;
      list[at + 1] = text;
      this.#removeFrom(name, at + 2);
    }
    return this;
  }

  /** Appends a value. */
  add(name: string, value: string | number): this {
    const text = toText(name, value);
    this.beforeChange(name, text);
    this.#own().push(name, text);
    return this;
  }

  /** Removes every value of a name. Returns whether there was one. */
  delete(name: string): boolean {
    if (!this.has(name)) return false;
    this.beforeChange(name);
    this.#removeFrom(name, 0);
    return true;
  }

  /** Removes a name and returns its {@link at}, else `fallback`. */
  pop(name: string, fallback?: string): string | string[] | undefined {
    const value = this.at(name) ?? fallback;
    this.delete(name);
    return value;
  }

  /** The first value of a name, after setting `value` (empty by default) if there was none. */
  setDefault(name: string, value: string | number = ""): string {
    if (!this.has(name)) this.set(name, value);
    return this.get(name) as string;
  }

  /** Sets every name of a record, a table, a `Headers` or a list of pairs. */
  update(init: TableInit): this {
    const pairs = Symbol.iterator in init ? init : Object.entries(init);
    for (const [name, value] of pairs) this.set(name, value);
    return this;
  }

  /** Removes everything. */
  clear(): void {
    if (this.size === 0) return;
    this.beforeChange(this.#list[0] as string);
    this.#list = [];
    this.#owned = true;
  }

  /** An independent table with the same entries. */
  copy(): HeaderTable {
    return HeaderTable.fromRaw([...this.#list]);
  }

  /** Every name in order, repeated ones included. */
  *keys(): IterableIterator<string> {
    for (const [name] of this) yield name;
  }

  /** Every value in order. */
  *values(): IterableIterator<string> {
    for (const [, value] of this) yield value;
  }

  /** Every name and value in order. */
  *entries(): IterableIterator<[string, string]> {
    const list = this.#list;
    for (let at = 0; at < list.length; at += 2) yield [list[at] as string, list[at + 1] as string];
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  /** Names and values alternating; a view, not to be changed. */
  raw(): readonly string[] {
    return this.#list;
  }

  /** A record without prototype: {@link at} of each name, in its first spelling. */
  toJSON(): Record<string, string | string[]> {
    const record = Object.create(null) as Record<string, string | string[]>;
    for (const [name] of this) {
      if (this.#list[this.#find(name, 0)] === name) record[name] = this.at(name) ?? "";
    }
    return record;
  }

  [inspect.custom](): string {
    return `HeaderTable ${inspect(this.toJSON())}`;
  }

  /** Called before every change; subclasses may throw. Without `value` the name is removed. */
  protected beforeChange(_name: string, _value?: string): void {}

  #find(name: string, from: number): number {
    const list = this.#list;
    if (list.length === from) return -1;
    const lower = name.toLowerCase();
    for (let at = from; at < list.length; at += 2) {
      const candidate = list[at] as string;
      if (
        candidate === name ||
        (candidate.length === name.length && candidate.toLowerCase() === lower)
      ) {
        return at;
      }
    }
    return -1;
  }

  #own(): string[] {
    if (!this.#owned) {
      this.#list = [...this.#list];
      this.#owned = true;
    }
    return this.#list as string[];
  }

  #removeFrom(name: string, from: number): void {
    const list = this.#own();
    for (let at = this.#find(name, from); at >= 0; at = this.#find(name, at)) list.splice(at, 2);
  }
}

/** Another value would be sent as `undefined` or `[object Object]`. */
function toText(name: string, value: string | number): string {
  if (typeof name !== "string") throw badArgument("table", "a name must be a string");
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  throw badArgument(
    name,
    `its value must be a string or a number, not ${value === null ? "null" : typeof value}`,
  );
}

/** `req.headersOut` and `req.errHeadersOut`: values are valid in HTTP, and frozen once sent. */
export class ResponseHeaders extends HeaderTable {
  #isFrozen: boolean;
  #hasLatin1 = false;

  constructor(isFrozen = false) {
    super();
    this.#isFrozen = isFrozen;
  }

  /** Whether a value with bytes beyond ASCII was ever set. */
  get hasLatin1(): boolean {
    return this.#hasLatin1;
  }

  /** Appends the headers to `target`; later changes throw `MODTS_HEADERS_SENT`. */
  moveTo(target: string[], withoutType: boolean): void {
    this.#isFrozen = true;
    const list = this.raw();
    for (let at = 0; at < list.length; at += 2) {
      const name = list[at] as string;
      if (isConnectionHeader(name)) continue;
      if (withoutType && name.toLowerCase() === "content-type") continue;
      target.push(name, list[at + 1] as string);
    }
  }

  protected override beforeChange(name: string, value?: string): void {
    if (this.#isFrozen) throw new ModTsError("MODTS_HEADERS_SENT", { name });
    if (value === undefined) return;
    checkHeader(name, value);
    this.#hasLatin1 ||= /[^\x00-\x7f]/.test(value);
  }
}

/** Below `responsefieldsize` of `apache-conf/mod_ts.conf`: Apache responds 502 to a longer field. */
const longestField = 16_000;

/**
 * Attack, response splitting: a line break in a client's value begins a header, or a whole
 * response. Throws `MODTS_BAD_HEADER` (RFC 9110, section 5.5).
 */
export function checkHeader(name: string, value: string): void {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch (cause) {
    throw badHeader(name, (cause as Error).message);
  }
  if (name.length + value.length > longestField) {
    const size = name.length + value.length;
    throw badHeader(name, `${size} bytes, more than the ${longestField} that Apache reads`);
  }
  // Attack: two parsers that read a length differently see two responses (RFC 9112, section 11.2).
  if (name.length === 14 && name.toLowerCase() === "content-length" && !/^\d{1,15}$/.test(value)) {
    throw badHeader(name, "must be a number of bytes");
  }
}

/** Attack: text after a line break in a reason phrase is read as headers (RFC 9112, section 4). */
export function parseStatusLine(line: string): { status: number; reason: string } {
  const [, status, reason = ""] = /^(\d{3})(?: ([^]*))?$/.exec(line) ?? [];
  if (status === undefined) throw badArgument("statusLine", 'it must look like "404 Not Found"');
  if (/[^\t\x20-\x7e\x80-\xff]/.test(reason)) {
    throw badHeader("statusLine", "it holds a character that cannot stand in a reason phrase");
  }
  return { status: Number(status), reason };
}

/**
 * Framing and hop-by-hop fields (RFC 9110, section 7.6.1): those of a copied response would break
 * ours.
 */
export function isConnectionHeader(name: string): boolean {
  return connectionHeaders.has(name.toLowerCase());
}

const connectionHeaders = new Set(
  (
    "connection content-length keep-alive proxy-connection te trailer transfer-encoding " +
    "upgrade"
  ).split(" "),
);

/** The type of text, with its charset: without one, the browser would guess. */
export function withCharset(type: string): string {
  const isOpen = /^text\//i.test(type) && !/;\s*charset=/i.test(type);
  return isOpen ? `${type}; charset=utf-8` : type;
}

/** Sets headers in the last of some tables, and removes those of the same name from all. */
export function overrideHeaders(
  tables: readonly [HeaderTable | undefined, HeaderTable],
  headers: Iterable<readonly [string, string]>,
): void {
  const given = [...headers];
  for (const [name] of given) for (const table of tables) table?.delete(name);
  for (const [name, value] of given) tables[1].add(name, value);
}

export function badHeader(name: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_HEADER", { name, reason });
}

/** Variables of a request by name, as mod_authnz_fcgi and mod_proxy_scgi send them. */
export type Params = ReadonlyMap<string, string>;

/**
 * Headers of the client, names and values alternating. `HTTP_ACCEPT_LANGUAGE` was
 * `Accept-Language`: Apache drops names with other characters than letters, digits and `-`.
 */
export function headersFrom(params: Params): string[] {
  const headers: string[] = [];
  for (const [name, value] of params) {
    if (name.startsWith("HTTP_")) headers.push(headerName(name), value);
  }
  const type = params.get("CONTENT_TYPE");
  return type === undefined ? headers : [...headers, "Content-Type", type];
}

/** Clients send few names; one that sends many new ones must not fill the memory. */
const headerNames = new Map<string, string>();

function headerName(variable: string): string {
  const known = headerNames.get(variable);
  if (known !== undefined) return known;
  const words = variable.toLowerCase().split("_").slice(1);
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("-");
  if (headerNames.size < 200) headerNames.set(variable, name);
  return name;
}

/** Bytes. Attack: Apache reads 8,191 at a time, and takes the rest of a longer line for the next. */
const longestCgiLine = 8_180;

/** A CGI response up to its body (RFC 3875, section 6). Throws `MODTS_BAD_HEADER`. */
export function formatCgiHead(status: number, headers: readonly string[], reason?: string): string {
  // Apache shows the reason in its own pages.
  let text = `Status: ${status} ${reason ?? STATUS_CODES[status] ?? "Unknown"}\r\n`;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    const line = `${name}: ${headers[index + 1]}`;
    if (Buffer.byteLength(line) > longestCgiLine) {
      throw badHeader(name, `longer than the ${longestCgiLine} bytes that Apache reads`);
    }
    text += `${line}\r\n`;
  }
  return `${text}\r\n`;
}

/** Notes as a query string, passed between the transports in a variable of Apache. */
export function formatNotes(notes: Iterable<readonly [string, string]>): string {
  return new URLSearchParams(
    Array.from(notes, ([name, value]) => [name, value] as [string, string]),
  ).toString();
}

/** Of a repeated name the last value. */
export function parseNotes(text: string): Dictionary {
  if (text === "") return emptyDictionary;
  const notes: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) notes[name] = value;
  return notes;
}

/** UTF-8 if valid, else one character per byte: two spellings of one name read the same. */
export function decodeBytes(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  return text.includes("\ufffd") ? bytes.toString("latin1") : text;
}

/** What {@link decodeBytes} may have read as this text: UTF-8, or else a character each. */
export function spellings(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  if (!/[\x80-\xff]/.test(text) || /[^\x00-\xff]/.test(text)) return [bytes];
  return [bytes, Buffer.from(text, "latin1")];
}

/** A header as Node.js has it, one character per byte, as {@link decodeBytes} reads it. */
export function decodeHeader(value: string): string {
  return /[^\x00-\x7f]/.test(value) ? decodeBytes(Buffer.from(value, "latin1")) : value;
}

/** The reverse: Node.js sends one byte per character. */
export function encodeHeader(value: string): string {
  return Buffer.from(value, "utf8").toString("latin1");
}
