/**
 * The fields of a form while it is read, within its limits.
 * @module
 */
import { HttpError } from "../http-error.ts";
import type { FormValue } from "./form.ts";
import type { FormLimits } from "./form-limits.ts";

/** Collects fields in the order sent. Each method throws `HttpError` 413 over a limit. */
export class FormEntries {
  readonly list: [string, FormValue][] = [];
  readonly #limits: FormLimits;
  #bytes = 0;
  #files = 0;

  constructor(limits: FormLimits) {
    this.#limits = limits;
  }

  /** A field that is no file. */
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

  /** Makes room for a file, whose value is known when it has been read; gives what puts it there. */
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

/** The refusal of a form that sends too much. */
export function over(what: string): HttpError {
  return new HttpError(413, { body: `The form sends too much: ${what}.\n` });
}

/** A name from the client in a message: short, and without control characters. */
export function quote(name: string): string {
  return JSON.stringify(name.slice(0, 40));
}
