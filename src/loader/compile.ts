/**
 * TypeScript to JavaScript. The only file that knows the compiler: its API is 0.x, so the version is pinned.
 * @module
 */
import { extname } from "node:path";
import type { SourceMapPayload } from "node:module";
import { transformSync, type OxcError, type TransformOptions } from "oxc-transform";
import { BuildError, positionAt } from "./build-error.ts";
import { type Columns, sourceColumn } from "./columns.ts";

/** JavaScript with the way back to the source. */
export interface CompiledCode {
  code: string;
  /** Kept beside the code: an inline map would double the text that V8 keeps. */
  map: SourceMapPayload | undefined;
  /** For a file of another language: the way from the columns that the map knows to those of the file. */
  columns?: Columns;
}

/** TypeScript in place of another language: each line stands in the line of the source that it came from. */
export interface Translation {
  code: string;
  columns: Columns;
}

/** Other languages that are written in TypeScript, by extension. Each throws a {@link BuildError}. */
export type Languages = Readonly<Record<string, (file: string, source: string) => Translation>>;

type Lang = NonNullable<TransformOptions["lang"]>;

const langs: Readonly<Record<string, Lang>> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".js": "js",
  ".mjs": "js",
  ".jsx": "jsx",
};

/** Extensions that {@link compile} takes, in the order in which an import without extension tries them. */
export const compiledExtensions: readonly string[] = [
  ".ts",
  ".tsx",
  ".mts",
  ".cts",
  ".js",
  ".mjs",
  ".jsx",
];

/**
 * Compiles one file. Types, and imports used only as types, vanish; nothing is checked.
 * Throws a {@link BuildError} with line and column for a syntax error.
 */
export function compile(file: string, source: string, languages: Languages = {}): CompiledCode {
  const extension = extname(file);
  const translate = languages[extension];
  if (translate) return compileTranslation(file, source, translate(file, source));
  const lang = langs[extension];
  if (lang !== undefined) return compileScript(file, { script: source, source }, lang);
  const reason = `"${extension}" is not an extension of TypeScript or JavaScript`;
  throw new BuildError(reason, { file, line: 0, column: 0 });
}

function compileTranslation(file: string, source: string, translation: Translation): CompiledCode {
  const { code: script, columns } = translation;
  return { ...compileScript(file, { script, source, columns }, "ts"), columns };
}

/** `source` is what the author wrote, `script` what is compiled. */
interface Texts {
  script: string;
  source: string;
  columns?: Columns;
}

function compileScript(file: string, texts: Texts, lang: Lang): CompiledCode {
  const { script } = texts;
  const result = transformSync(file, script, { lang, sourceType: "module", sourcemap: true });
  // An error can come together with code that runs ("return" outside of a function): never trust the code alone.
  const error = result.errors.find(({ severity }) => severity === "Error");
  if (error) throw toBuildError(error, file, texts);
  return { code: result.code, map: toPayload(result.map, file) };
}

function toPayload(
  map: ReturnType<typeof transformSync>["map"],
  file: string,
): SourceMapPayload | undefined {
  if (!map) return undefined;
  // The source itself is kept by the loader: a second copy in every map would be dead weight.
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
