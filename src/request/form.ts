/**
 * What a form sent: names and values in the order sent, repeats kept. mod_python: `util.FieldStorage`.
 * @module
 */
import type { Upload } from "./upload.ts";

/** The value of a field: text, or a file. */
export type FormValue = string | Upload;

/** The fields of a request, those of the query string first. Any name is safe to ask for. */
export class Form implements Iterable<readonly [string, FormValue]> {
  readonly #entries: readonly (readonly [string, FormValue])[];
  readonly #byName = new Map<string, FormValue[]>();

  constructor(entries: readonly (readonly [string, FormValue])[]) {
    this.#entries = entries;
    for (const [name, value] of entries) {
      const values = this.#byName.get(name);
      if (values) values.push(value);
      else this.#byName.set(name, [value]);
    }
  }

  /** Number of distinct names. */
  get size(): number {
    return this.#byName.size;
  }

  /** The value of a field, all of them when it was sent more than once; undefined when it was not sent. */
  get(name: string): FormValue | FormValue[] | undefined {
    const values = this.#byName.get(name);
    return values && values.length > 1 ? [...values] : values?.[0];
  }

  /** The first value of a field. */
  getFirst(name: string): FormValue | undefined {
    return this.#byName.get(name)?.[0];
  }

  /** Every value of a field, in the order sent. */
  getAll(name: string): FormValue[] {
    return [...(this.#byName.get(name) ?? [])];
  }

  /** The first value of a field when it is text, else undefined: a client may send a file in the place of any field. */
  text(name: string): string | undefined {
    const value = this.getFirst(name);
    return typeof value === "string" ? value : undefined;
  }

  /** The first value of a field when it is a file, else undefined. */
  file(name: string): Upload | undefined {
    const value = this.getFirst(name);
    return typeof value === "string" ? undefined : value;
  }

  /** Whether a field was sent. */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** The distinct names, in the order in which they were first sent. */
  names(): string[] {
    return [...this.#byName.keys()];
  }

  /** Every field in the order sent, repeats included. */
  [Symbol.iterator](): Iterator<readonly [string, FormValue]> {
    return this.#entries[Symbol.iterator]();
  }
}
