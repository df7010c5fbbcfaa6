/** Compilation of TypeScript. The API of the compiler is 0.x, so its version is pinned. */
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import type { SourceMapPayload } from "node:module";
import { type OxcError, type TransformOptions, transformSync } from "oxc-transform";
import { BuildError, positionAt } from "./build-error.ts";
import { isCommonJs, toEsModule } from "./common-js.ts";
import { compileDecorators, hasDecorator } from "./standard-decorators.ts";
import { emitSettings } from "./tsconfig.ts";

export interface CompiledCode {
  code: string;
  /** Separate: an inline map would double the text kept by V8. */
  map: SourceMapPayload | undefined;
  /** For other languages: map from the columns of `map` to those of the file. */
  columns?: Columns;
  /** Of large files, whose parsing takes long. */
  facts?: CodeFacts;
}

/** See `own-exports.ts`; undefined if the parser is older than the code. */
export interface CodeFacts {
  readonly ownExports: readonly string[] | undefined;
  readonly imports: readonly string[] | undefined;
  readonly fitsCommonJs: boolean;
}

/** TypeScript translated from another language, line by line. */
export interface Translation {
  code: string;
  columns: Columns;
}

/** Languages translated to TypeScript, by extension. They throw {@link BuildError}s. */
export type Languages = Readonly<Record<string, (file: string, source: string) => Translation>>;

type Lang = Exclude<NonNullable<TransformOptions["lang"]>, "dts">;

const langs: Readonly<Record<string, Lang>> = {
  ".ts": "ts",
  ".tsx": "tsx",
  ".mts": "ts",
  ".cts": "ts",
  ".js": "js",
  ".mjs": "js",
  ".jsx": "jsx",
};

/** Extensions for {@link compile}, in the order in which imports without extension try them. */
export const compiledExtensions: readonly string[] = Object.keys(langs);

/** Compiles one file; types are removed, not checked. Throws a {@link BuildError}. */
export function compile(file: string, source: string, languages: Languages = {}): CompiledCode {
  const translate = languages[extname(file)];
  if (translate) return compileTranslation(file, source, translate(file, source));
  const compiled = compileForNode(file, source);
  return isCommonJs(file, source) ? toEsModule(compiled) : compiled;
}

/** As {@link compile}, for Node's own loader: CommonJS stays what it is. */
export function compileForNode(file: string, source: string): CompiledCode {
  const extension = extname(file);
  const lang = langs[extension];
  if (lang !== undefined) return compileScript(file, { script: source, source }, lang);
  const reason = `"${extension}" is not an extension of TypeScript or JavaScript`;
  throw new BuildError(reason, { file, line: 0, column: 0 });
}

function compileTranslation(file: string, source: string, translation: Translation): CompiledCode {
  const { code: script, columns } = translation;
  return { ...compileScript(file, { script, source, columns }, "ts"), columns };
}

/** `source` is the author's text, `script` what is compiled. */
interface Texts {
  script: string;
  source: string;
  columns?: Columns;
}

function compileScript(file: string, texts: Texts, lang: Lang): CompiledCode {
  // The compiler knows `#!` only as the first two characters.
  const script = texts.script.replace(/^\ufeff(?=#!)/, "");
  const settings = texts.columns ? {} : emitSettings(file);
  const result = transformSync(file, script, {
    ...settings,
    lang,
    sourceType: "module",
    sourcemap: true,
  });
  // Errors may come with runnable code ("return" outside of a function).
  const error = result.errors.find(({ severity }) => severity === "Error");
  if (error) throw toBuildError(error, file, { ...texts, script });
  if (texts.columns) return { code: result.code, map: toPayload(result.map, file) };
  return hasDecorator(script, result.code)
    ? compileDecorators(file, script, lang)
    : { code: result.code, map: toPayload(result.map, file) };
}

/** Code with its map, for programs other than our stack traces. */
export function withInlineMap({ code, map }: CompiledCode): string {
  if (!map) return code;
  const sources = map.sources.map((source) => pathToFileURL(source).href);
  const text = Buffer.from(JSON.stringify({ ...map, sources })).toString("base64");
  return `${code}\n//# sourceMappingURL=data:application/json;base64,${text}`;
}

function toPayload(
  map: ReturnType<typeof transformSync>["map"],
  file: string,
): SourceMapPayload | undefined {
  if (!map) return undefined;
  // The loader keeps the source: copies in the maps would waste memory.
  const { version, names, mappings } = map;
  return { version, names, mappings, file, sources: [file], sourcesContent: [], sourceRoot: "" };
}

function toBuildError(error: OxcError, file: string, texts: Texts): BuildError {
  const { script, source, columns = [] } = texts;
  const offset = error.labels[0]?.start;
  const position = offset === undefined ? { line: 0, column: 0 } : positionOfByte(script, offset);
  position.column = sourceColumn(columns, position.line, position.column);
  const reason = `SyntaxError: ${error.message}`;
  return new BuildError(reason, { file, ...position }, { source });
}

/** The compiler counts UTF-8 bytes, JavaScript UTF-16 units. */
function positionOfByte(source: string, offset: number): { line: number; column: number } {
  return positionAt(source, Buffer.from(source).subarray(0, offset).toString().length);
}

/**
 * From a column of a line (from 1) of the script on, the text is that of the source from another
 * column on (both from 0). Sorted. Before the first entry of a line, columns are equal.
 */
export type Columns = readonly (readonly [line: number, script: number, source: number])[];

/** Column of the source, counted from 1; lines are the same. */
export function sourceColumn(columns: Columns, line: number, column: number): number {
  let low = 0;
  let high = columns.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const [otherLine, script] = columns[middle] as Columns[number];
    if (otherLine < line || (otherLine === line && script < column)) low = middle + 1;
    else high = middle;
  }
  const entry = columns[low - 1];
  if (entry?.[0] !== line) return column;
  return column - entry[1] + entry[2];
}
