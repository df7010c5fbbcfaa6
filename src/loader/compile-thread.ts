/** Program of the thread that compiles a large file; `aside.ts` starts it. */
import { extname } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { attempt } from "../base/attempt.ts";
import type { CompileJob, CompileResult } from "./aside.ts";
import { BuildError } from "./build-error.ts";
import {
  type CodeFacts,
  compile,
  type CompiledCode,
  compileForNode,
  type Languages,
} from "./compile.ts";
import { fitsCommonJs, ownExports, staticImports } from "./own-exports.ts";

parentPort?.postMessage(await run(workerData as CompileJob));

async function run(job: CompileJob): Promise<CompileResult> {
  try {
    const compiled = await compileJob(job);
    return { compiled: { ...compiled, facts: factsOf(compiled.code) } };
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    const { reason, line, column, source: shown } = error;
    return { failure: { reason, position: { file: error.file, line, column }, source: shown } };
  }
}

async function compileJob({
  file,
  source,
  language,
  isForNode,
}: CompileJob): Promise<CompiledCode> {
  if (isForNode) return compileForNode(file, source);
  return compile(file, source, await languagesOf(file, language));
}

/** The parser may be older than the code: then the worker reports it, where it matters. */
function factsOf(code: string): CodeFacts {
  return {
    ownExports: attempt(() => [...ownExports(code)], undefined),
    imports: attempt(() => staticImports(code), undefined),
    fitsCommonJs: fitsCommonJs(code),
  };
}

async function languagesOf(file: string, language: CompileJob["language"]): Promise<Languages> {
  if (!language) return {};
  const module = (await import(language.module)) as Record<string, Languages[string]>;
  return { [extname(file)]: module[language.name] as Languages[string] };
}
