/**
 * Finds and compiles the TypeScript of scripts for their threads: the worker has the compiler in memory, and what it compiled once
 * is good for every run until the file is saved again.
 * @module
 */
import { readFileSync, statSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { compileFunction } from "node:vm";
import { compile } from "../loader/compile.ts";
import { isLocal, resolveLocal } from "../loader/resolve.ts";

/** What a thread asks: where an import leads that Node does not find, or what to run for a file of TypeScript. */
export type SourceQuestion =
  | { readonly specifier: string; readonly parent: string | undefined }
  | { readonly url: string; readonly format: string | null | undefined };

/** A file that was found, by its URL; code; or why there is neither. */
export interface SourceAnswer {
  readonly url?: string | undefined;
  readonly format?: "module" | "commonjs";
  readonly source?: string;
  readonly error?: unknown;
}

/** Files whose code is kept. */
const keptFiles = 500;

const known = new Map<string, { readonly signature: string; readonly answer: SourceAnswer }>();

/** Answers a question. Never throws. */
export function answerSource(question: SourceQuestion): SourceAnswer {
  try {
    if ("specifier" in question) return { url: findSource(question.specifier, question.parent) };
    return compileOnce(fileURLToPath(question.url), question.format);
  } catch (error) {
    return { error };
  }
}

/** What TypeScript understands and Node does not: `./a.js` for `a.ts`, `./a`, a folder with an index. */
function findSource(specifier: string, parent: string | undefined): string | undefined {
  if (!isLocal(specifier) || !parent?.startsWith("file:")) return undefined;
  const { file } = resolveLocal(specifier, fileURLToPath(parent), isFile);
  return file === undefined ? undefined : pathToFileURL(file).href;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function compileOnce(file: string, format: string | null | undefined): SourceAnswer {
  const { mtimeMs, ctimeMs, size, ino } = statSync(file);
  const signature = [mtimeMs, ctimeMs, size, ino, format].join();
  const before = known.get(file);
  if (before?.signature === signature) return before.answer;
  const answer = compileModule(file, format);
  known.delete(file);
  // Two saves within one tick of the clock look the same: code that is so young is not kept.
  if (Date.now() - Math.max(mtimeMs, ctimeMs) > 1000) known.set(file, { signature, answer });
  const [oldest] = known.keys();
  if (known.size > keptFiles && oldest !== undefined) known.delete(oldest);
  return answer;
}

function compileModule(file: string, named: string | null | undefined): SourceAnswer {
  const { code, map } = compile(file, readFileSync(file, "utf8"));
  const said = /^(module|commonjs)\b/.exec(named ?? "")?.[1];
  const isModule = said ? said === "module" : /\.mtsx?$/.test(file) || !isCommonJs(code);
  const format = isModule ? "module" : "commonjs";
  if (!map) return { format, source: code };
  const encoded = Buffer.from(JSON.stringify(map)).toString("base64");
  const comment = `\n//# sourceMappingURL=data:application/json;base64,${encoded}`;
  return { format, source: code + comment };
}

/** As Node does it for JavaScript (`--experimental-detect-module`): what a CommonJS function cannot hold is a module. */
function isCommonJs(code: string): boolean {
  try {
    compileFunction(code.replace(/^#!.*/, ""), ["exports", "require", "module"]);
    return true;
  } catch {
    return false;
  }
}
