/** Code generated from a page, line by line, with a map of columns. */
import type { Columns } from "../../loader/compile.ts";

export class Script {
  readonly #source: string;
  #code = "";
  #line = 1;
  /** Offsets of the current line, in the code and in the page. */
  #codeLine = 0;
  #sourceLine = 0;
  readonly #columns: [number, number, number][] = [];

  constructor(source: string) {
    this.#source = source;
  }

  get code(): string {
    return this.#code;
  }

  get columns(): Columns {
    return this.#columns;
  }

  /** Adds generated code without line breaks. */
  add(code: string): void {
    this.#code += code;
  }

  /** Adds a piece of the page as it is. */
  copy(start: number, end: number): void {
    this.mark(start);
    this.#append(this.#source.slice(start, end), start);
  }

  /** Maps the code added next to `start` in the page. */
  mark(start: number): void {
    const from = this.#code.length - this.#codeLine;
    this.#columns.push([this.#line, from, start - this.#sourceLine]);
  }

  /** Adds the line breaks of a piece of the page. */
  skip(start: number, end: number): void {
    const breaks = this.#source.slice(start, end).split("\n").length - 1;
    if (breaks === 0) return;
    this.#code += "\n".repeat(breaks);
    this.#line += breaks;
    this.#codeLine = this.#code.length;
    this.#sourceLine = this.#source.lastIndexOf("\n", end - 1) + 1;
  }

  /** Adds a piece of the page as template string content. */
  quote(start: number, end: number): void {
    const text = this.#source.slice(start, end);
    // In template strings, CR would become LF, and U+2028 and U+2029 would count as lines.
    const quoted = text.replace(/[`\\\r\u2028\u2029]|\$(?=\{)/g, (sign) => escapes[sign] as string);
    this.#append(quoted, start);
  }

  #append(text: string, start: number): void {
    const last = text.lastIndexOf("\n");
    this.#code += text;
    if (last < 0) return;
    const breaks = text.split("\n").length - 1;
    this.#line += breaks;
    this.#codeLine = this.#code.length - (text.length - last - 1);
    this.#sourceLine = nthBreak(this.#source, start, breaks) + 1;
  }
}

const escapes: Readonly<Record<string, string>> = {
  "`": "\\`",
  "\\": "\\\\",
  $: "\\$",
  "\r": "\\r",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

function nthBreak(text: string, from: number, count: number): number {
  let at = from - 1;
  for (let n = 0; n < count; n++) at = text.indexOf("\n", at + 1);
  return at;
}
