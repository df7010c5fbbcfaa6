/**
 * Translation of a page to TypeScript: line n of the page is line n of the code. So the loader's
 * stack traces, code frames, reload and dependency tracking hold for pages.
 *
 * ```
 * <%! import { load } from "./a.ts"; %>      import …; import { load } from "./a.ts";
 * <ul>                                       export async function $render($, vars) { …; $out += `<ul>
 * <% for (const x of await load()) { %>      `; for (const x of await load()) {
 *   <li><%= x %></li>                          $out += `  <li>`, $t = $e(( x )), $out += $t, $out += `</li>
 * <% } %>                                    `; }
 * </ul>                                      $out += `</ul>`; return $out; }
 * ```
 * The value is computed before `$out` is read: the expression may itself write, or wait.
 */
import type { LanguageModule } from "../../loader/aside.ts";
import type { Translation } from "../../loader/compile.ts";
import { checkExpression, terminator } from "./statements.ts";
import { findGaps } from "./find-gaps.ts";
import { declareNames, outline, type Outline } from "./outline.ts";
import {
  type Attribute,
  type Code,
  type CodeToken,
  type Directive,
  PageSource,
  type Part,
} from "./page-source.ts";
import { scan } from "./scan.ts";
import { Script } from "./script.ts";

/** Where the loader's threads find {@link translatePage}. */
export const pageLanguage: LanguageModule = { module: import.meta.url, name: "translatePage" };

/** Throws a `BuildError` with line and column for incomplete or unknown tags. */
export function translatePage(file: string, text: string): Translation {
  const source = new PageSource(file, text);
  return new Translator(source, findGaps(text, scan(source))).translate();
}

class Translator {
  readonly #source: PageSource;
  readonly #parts: readonly Part[];
  readonly #outline: Outline;
  readonly #script: Script;
  /** Whether the function of the page has begun. */
  #begun = false;
  /** Open run of output: one statement, so that `if (x)` without braces governs all of it. */
  #running = false;
  /** Whether the code ends in text: more text goes into the same string. */
  #quoting = false;
  /** Code of the last tag, which may lack its semicolon. */
  #tail: readonly CodeToken[] = [];
  /** Ends of open blocks and slots, innermost last. */
  readonly #closers: string[] = [];

  constructor(source: PageSource, parts: readonly Part[]) {
    this.#source = source;
    this.#parts = parts;
    this.#outline = outline(source, parts);
    this.#script = new Script(source.text);
  }

  translate(): Translation {
    const { imports } = this.#outline;
    this.#script.add(
      [
        'import type { PageRendering as $Rendering } from "mod-ts";',
        ...imports.map(
          ({ name, specifier }) => `import * as ${name} from ${JSON.stringify(specifier)};`,
        ),
        "",
      ].join(" "),
    );
    for (const part of this.#parts) this.#translate(part);
    this.#begin();
    this.#endRun();
    this.#script.add(terminator(this.#tail, undefined) + this.#ending());
    return { code: this.#script.code, columns: this.#script.columns };
  }

  #translate(part: Part): void {
    const { start, end } = part;
    if (part.kind === "text") this.#text(start, end, part.literal);
    else if (part.kind === "statements") this.#statements(part);
    else if (part.kind === "module") this.#module(part);
    else if (part.kind === "escaped" || part.kind === "raw") this.#expression(part);
    else if (part.kind === "directive") this.#directive(part);
    else this.#skip(start, end);
  }

  #text(start: number, end: number, literal: string | undefined): void {
    const isBlank = literal === undefined && !/\S/.test(this.#source.text.slice(start, end));
    if (isBlank && !this.#begun) return this.#script.skip(start, end);
    if (!this.#quoting) this.#output("$out += `");
    this.#quoting = true;
    if (literal === undefined) this.#script.quote(start, end);
    else this.#script.add(literal);
  }

  #skip(start: number, end: number): void {
    this.#endQuote();
    this.#script.skip(start, end);
  }

  #expression({ kind, start, end, code, tokens }: Code): void {
    checkExpression(this.#source, tokens);
    this.#output(kind === "raw" ? "$t = $.text((" : "$t = $e((", start);
    this.#script.copy(code.start, code.end);
    this.#script.skip(code.end, end);
    this.#script.add(")), $out += $t");
  }

  #statements({ start, end, code, tokens }: Code): void {
    this.#begin();
    this.#endRun();
    this.#script.add(`${terminator(this.#tail, tokens)} `);
    this.#script.skip(start, code.start);
    this.#script.copy(code.start, code.end);
    this.#script.skip(code.end, end);
    if (tokens.length > 0) this.#tail = tokens;
  }

  #module({ start, end, code }: Code): void {
    if (this.#begun) {
      this.#source.fail(
        "<%! … %> must stand above all that is sent or run; move it to the top of the page",
        start,
      );
    }
    this.#script.copy(code.start, code.end);
    this.#script.skip(code.end, end);
    this.#script.add("; ");
  }

  #directive(directive: Directive): void {
    const { name, attributes, start, end } = directive;
    if (name === "include") this.#include(directive);
    else if (name === "body") this.#output("$out += $.body", start);
    else if (name === "layout") this.#layout(directive);
    else if (name === "block") this.#block(attributes.get("name") as Attribute);
    else if (name === "slot") this.#slot(attributes.get("name") as Attribute);
    else if (name === "end") this.#statement(this.#closers.pop() as string);
    if (!attributes.has("with")) this.#skip(start, end);
  }

  #include(directive: Directive): void {
    const page = this.#outline.names.get(directive);
    this.#output(`$t = await $.renderPart(${page}, (`, directive.start);
    this.#with(directive, "{}");
    this.#script.add(")), $out += $t");
  }

  /** A separate function: module code may follow, and lines must not move. */
  #layout(directive: Directive): void {
    if (this.#begun) {
      const reason = "layout must stand above all that is sent or run; move it to the top";
      this.#source.fail(reason, directive.start);
    }
    const { vars, own, variables } = this.#outline;
    const names = declareNames(variables.get(directive) ?? [], own);
    this.#script.add(`const $with = async ($: $Rendering, vars: ${vars}) => { ${names} return (`);
    this.#with(directive, "{}");
    this.#script.add("); }; ");
  }

  /** Variables for another page; keeps the lines of the directive. */
  #with({ attributes, start, end }: Directive, fallback: string): void {
    const variables = attributes.get("with");
    if (!variables) {
      this.#script.mark(start);
      return this.#script.add(fallback);
    }
    const until = variables.start + variables.value.length;
    this.#script.skip(start, variables.start);
    this.#script.copy(variables.start, until);
    this.#script.skip(until, end);
  }

  #block({ value }: Attribute): void {
    const { layout } = this.#outline;
    this.#statement(
      `{ $.open("${value}", ${layout}); const $rest = $out; $out = ""; try {`,
      `$blocks["${value}"] = $out; } finally { $out = $rest; $.close(); } }`,
    );
  }

  #slot({ value }: Attribute): void {
    this.#statement(
      `if ($.slots["${value}"] !== undefined) $out += $.slots["${value}"]; else {`,
      "}",
    );
  }

  /** A generated statement, and its end if it is a block. */
  #statement(code: string, closer?: string): void {
    this.#begin();
    this.#endRun();
    this.#script.add(`${terminator(this.#tail, undefined)} ${code} `);
    this.#tail = [];
    if (closer !== undefined) this.#closers.push(closer);
  }

  /** Generated output for `start`; begins or continues a run. */
  #output(code: string, start?: number): void {
    this.#begin();
    this.#endQuote();
    this.#script.add(this.#running ? ", " : `${terminator(this.#tail, undefined)} `);
    this.#running = true;
    this.#tail = [];
    if (start !== undefined) this.#script.mark(start);
    this.#script.add(code);
  }

  #endRun(): void {
    this.#endQuote();
    if (this.#running) this.#script.add(";");
    this.#running = false;
  }

  #endQuote(): void {
    if (this.#quoting) this.#script.add("`");
    this.#quoting = false;
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const { info, vars, layout, tokens, own } = this.#outline;
    this.#script.add(
      [
        `export const $info = ${info};`,
        `export async function $render($: $Rendering, vars: ${vars}): Promise<string> {`,
        declareNames(tokens, own),
        'const $e = $.escape; let $out = "", $t = "";',
        layout ? "const $blocks: Record<string, string> = Object.create(null); $.hold();" : "",
        "{ ",
      ].join(" "),
    );
  }

  #ending(): string {
    const { layout } = this.#outline;
    if (!layout) return " } return $out; }";
    return ` return $.renderLayout(${layout}, await $with($, vars), $out, $blocks); } }`;
  }
}
