/** Names and values of a form in the order sent; mod_python: `util.FieldStorage`. */
import type { Upload } from "./upload.ts";
import { HttpError } from "../../base/http-error.ts";
import type { FormLimits } from "./form-limits.ts";

/** The value of a field: text, or a file. */
export type FormValue = string | Upload;

/** The fields of a request, those of the query string first. Any name is safe. */
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

  /** The value of a field, or all of them if sent more than once; undefined if not sent. */
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

  /** The first value if it is text: a client may send a file instead of any field. */
  text(name: string): string | undefined {
    const value = this.getFirst(name);
    return typeof value === "string" ? value : undefined;
  }

  /** The first value if it is a file. */
  file(name: string): Upload | undefined {
    const value = this.getFirst(name);
    return typeof value === "string" ? undefined : value;
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** The distinct names, in the order sent. */
  names(): string[] {
    return [...this.#byName.keys()];
  }

  [Symbol.iterator](): Iterator<readonly [string, FormValue]> {
    return this.#entries[Symbol.iterator]();
  }
}

/** Fields in the order sent. Methods throw `HttpError` 413 above a limit. */
export class FormEntries {
  readonly list: [string, FormValue][] = [];
  readonly #limits: FormLimits;
  #bytes = 0;
  #files = 0;

  constructor(limits: FormLimits) {
    this.#limits = limits;
  }

  add(name: string, value: string): void {
    const { fields, fieldBytes, memoryBytes } = this.#limits;
    this.#checkName(name);
    if (this.list.length - this.#files >= fields) throw over(`more than ${fields} fields`);
    const bytes = Buffer.byteLength(value);
    if (bytes > fieldBytes) throw over(`field ${quote(name)} has more than ${fieldBytes} bytes`);
    this.#bytes += bytes + Buffer.byteLength(name);
    if (this.#bytes > memoryBytes) throw over(`more than ${memoryBytes} bytes without its files`);
    this.list.push([name, value]);
  }

  /** Reserves the place of a file; the returned function sets its value. */
  reserve(name: string): (value: FormValue) => void {
    const { files } = this.#limits;
    this.#checkName(name);
    if (++this.#files > files) throw over(`more than ${files} files`);
    const entry: [string, FormValue] = [name, ""];
    this.list.push(entry);
    return (value) => void (entry[1] = value);
  }

  #checkName(name: string): void {
    const { nameBytes } = this.#limits;
    if (Buffer.byteLength(name) <= nameBytes) return;
    throw over(`the name ${quote(name)} … has more than ${nameBytes} bytes`);
  }
}

export function over(what: string): HttpError {
  return new HttpError(413, { body: `The form sends too much: ${what}.\n` });
}

/** A client's name in a message: short, and without control characters. */
export function quote(name: string): string {
  return JSON.stringify(name.slice(0, 40));
}
