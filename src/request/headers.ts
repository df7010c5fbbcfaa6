/**
 * The table of httpd and mod_python: names without case, several values a name, the order of insertion kept.
 * @module
 */
import { inspect } from "node:util";
import { ModTsError } from "../errors.ts";

/** What a table can be filled from; a name that comes twice keeps its last value. */
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

  /** A view of names and values alternating; the list is copied at the first change and never written to. */
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

  /** What `table[name]` gave in mod_python: the value when there is one, a list when there are several, else undefined. */
  at(name: string): string | string[] | undefined {
    const values = this.getAll(name);
    return values.length > 1 ? values : values[0];
  }

  /** Whether the name has a value. */
  has(name: string): boolean {
    return this.#find(name, 0) >= 0;
  }

  /** Replaces every value of a name. The first entry keeps its place; a new name goes to the end. */
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

  /** Appends a value, whatever values the name has. */
  add(name: string, value: string | number): this {
    const text = toText(name, value);
    this.beforeChange(name, text);
    this.#own().push(name, text);
    return this;
  }

  /** Removes every value of a name, silently when there is none. Returns whether there was one. */
  delete(name: string): boolean {
    if (!this.has(name)) return false;
    this.beforeChange(name);
    this.#removeFrom(name, 0);
    return true;
  }

  /** Removes a name and returns what {@link at} gave for it, else `fallback`. */
  pop(name: string, fallback?: string): string | string[] | undefined {
    const value = this.at(name) ?? fallback;
    this.delete(name);
    return value;
  }

  /** The first value of a name, after storing `value` (the empty string by default) if there was none. */
  setDefault(name: string, value: string | number = ""): string {
    if (!this.has(name)) this.set(name, value);
    return this.get(name) as string;
  }

  /** Sets every name of a record, a table, a `Headers` or a list of pairs. */
  update(init: TableInit): this {
    const pairs = isIterable(init) ? init : Object.entries(init);
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

  /** Names and values alternating; a view, not to be written to. */
  raw(): readonly string[] {
    return this.#list;
  }

  /** A record without prototype, as {@link at} sees the table; a name appears in its first spelling. */
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

  /** Called before every change; a subclass throws here. `value` is missing when the name is removed. */
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

function isIterable(init: TableInit): init is Iterable<[string, string]> {
  return Symbol.iterator in init;
}

/** A value that is no text would be sent as `undefined` or `[object Object]`. */
function toText(name: string, value: string | number): string {
  if (typeof name !== "string") {
    throw new ModTsError("MODTS_BAD_ARGUMENT", {
      name: "table",
      reason: "a name must be a string",
    });
  }
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  throw new ModTsError("MODTS_BAD_ARGUMENT", {
    name,
    reason: `its value must be a string or a number, not ${value === null ? "null" : typeof value}`,
  });
}
