/**
 * Standard decorators (ECMAScript) and `accessor` fields, which neither V8 nor the usual compiler
 * knows: esbuild compiles the files that use them, if it is installed.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { SourceMapPayload } from "node:module";
import { Parser } from "acorn";
import { attempt } from "../base/attempt.ts";
import { BuildError, positionAt } from "./build-error.ts";

/**
 * Whether compiled code still contains a decorator or an `accessor` field.
 * @param source before compilation; decides quickly for nearly all files
 */
export function hasDecorator(source: string, code: string): boolean {
  if (!/@[\w(]|\baccessor\s+[\w#["']/.test(source)) return false;
  try {
    Parser.parse(code, { ecmaVersion: "latest", sourceType: "module", allowHashBang: true });
    return false;
  } catch (error) {
    const { pos = 0 } = error as { pos?: number };
    return code[pos] === "@" || /\baccessor\s+$/.test(code.slice(0, pos));
  }
}

/**
 * Compiles with esbuild.
 * @param loader the language of the source
 * @throws BuildError
 */
export function compileDecorators(
  file: string,
  source: string,
  loader: "ts" | "tsx" | "js" | "jsx",
): { code: string; map: SourceMapPayload } {
  const esbuild = findEsbuild(file);
  if (!esbuild) {
    const reason =
      "standard decorators and accessor fields are compiled by esbuild; run npm install esbuild, " +
      'or set "experimentalDecorators" in tsconfig.json';
    const place = positionAt(source, Math.max(0, source.search(/@[\w(]|\baccessor\b/)));
    throw new BuildError(reason, { file, ...place }, { source });
  }
  try {
    const { code, map } = esbuild.transformSync(source, {
      loader,
      sourcefile: file,
      sourcemap: "external",
      format: "esm",
      // The newest target without decorators.
      target: "es2024",
      jsx: "automatic",
    });
    const payload = { ...(JSON.parse(map) as SourceMapPayload), file, sources: [file] };
    return { code, map: { ...payload, sourcesContent: [] } };
  } catch (error) {
    const [first] = (error as { errors?: EsbuildMessage[] }).errors ?? [];
    if (!first) throw error;
    const { line = 0, column = 0 } = first.location ?? {};
    const reason = `SyntaxError: ${first.text}`;
    throw new BuildError(reason, { file, line, column: column + 1 }, { source, cause: error });
  }
}

interface EsbuildMessage {
  readonly text: string;
  readonly location: { readonly line: number; readonly column: number } | null;
}

type Esbuild = typeof import("esbuild");

/** That of the project, else one beside mod_ts. */
function findEsbuild(file: string): Esbuild | undefined {
  const load = (from: string): Esbuild | undefined =>
    attempt(() => createRequire(from)("esbuild") as Esbuild, undefined);
  return load(file) ?? load(join(import.meta.dirname, "index.js"));
}
