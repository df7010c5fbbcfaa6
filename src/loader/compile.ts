/**
 * TypeScript to JavaScript. The only file that knows the compiler: its API is 0.x, so the version is pinned.
 * @module
 */
import { extname } from "node:path";
import type { SourceMapPayload } from "node:module";
import { transformSync, type OxcError, type TransformOptions } from "oxc-transform";
import { BuildError, positionAt } from "./build-error.ts";

/** JavaScript with the way back to the source. */
export interface CompiledCode {
  code: string;
  /** Kept beside the code: an inline map would double the text that V8 keeps. */
  map: SourceMapPayload | undefined;
}

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
export function compile(file: string, source: string): CompiledCode {
  const lang = langs[extname(file)];
  if (lang === undefined) {
    const reason = `"${extname(file)}" is not an extension of TypeScript or JavaScript`;
    throw new BuildError(reason, { file, line: 0, column: 0 });
  }
  const result = transformSync(file, source, { lang, sourceType: "module", sourcemap: true });
  // An error can come together with code that runs ("return" outside of a function): never trust the code alone.
  const error = result.errors.find(({ severity }) => severity === "Error");
  if (error) throw toBuildError(error, file, source);
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

function toBuildError(error: OxcError, file: string, source: string): BuildError {
  const offset = error.labels[0]?.start;
  const position = offset === undefined ? { line: 0, column: 0 } : positionOfByte(source, offset);
  const reason = `SyntaxError: ${error.message}`;
  return new BuildError(reason, { file, ...position }, { source });
}

/** The compiler counts UTF-8 bytes, JavaScript UTF-16 units. */
function positionOfByte(source: string, offset: number): { line: number; column: number } {
  return positionAt(source, Buffer.from(source).subarray(0, offset).toString().length);
}
