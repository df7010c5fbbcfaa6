/**
 * Compilation of large files in a thread. A generated file of some megabytes takes seconds, and no
 * other request of the worker must wait for it.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { log } from "../base/log.ts";
import { BuildError, type SourcePosition } from "./build-error.ts";
import { compile, type CompiledCode, compileForNode, type Languages } from "./compile.ts";

/** Characters from which a thread is worth its start: about 50 ms of compilation. */
export const largeFile: number = 128 * 1024;

/** Where a thread finds the translation of a language: an export of a module. */
export interface LanguageModule {
  /** URL of the module. */
  readonly module: string;
  readonly name: string;
}

export interface CompileJob {
  readonly file: string;
  readonly source: string;
  /** Undefined for TypeScript and JavaScript. */
  readonly language: LanguageModule | undefined;
  /** Whether Node's own loader runs the code. @default false */
  readonly isForNode?: boolean;
}

export interface CompileResult {
  readonly compiled?: CompiledCode;
  readonly failure?: { reason: string; position: SourcePosition; source: string | undefined };
}

/** Thrown by a build that comes upon a large file; it is tried again once the file is compiled. */
export class UncompiledFile extends Error {
  readonly file: string;
  readonly text: string;

  constructor(file: string, text: string) {
    super(`${file} is not compiled yet`);
    this.file = file;
    this.text = text;
  }
}

/**
 * Compiles in a thread, or without one if none can be started. Rejects with a {@link BuildError}.
 */
export async function compileAside(
  job: CompileJob,
  languages: Languages = {},
): Promise<CompiledCode> {
  try {
    return await runThread(job);
  } catch (error) {
    if (error instanceof BuildError) throw error;
    log("warn", `${job.file} is compiled without a thread`, { error });
    const { file, source } = job;
    return job.isForNode ? compileForNode(file, source) : compile(file, source, languages);
  }
}

async function runThread(job: CompileJob): Promise<CompiledCode> {
  const name = import.meta.url.endsWith(".ts") ? "./compile-thread.ts" : "./compile-thread.js";
  const thread = new Worker(new URL(name, import.meta.url), { workerData: job });
  try {
    const [{ compiled, failure }] = (await once(thread, "message")) as [CompileResult];
    if (compiled) return compiled;
    const { reason, position, source } = failure!;
    throw new BuildError(reason, position, { source });
  } finally {
    void thread.terminate();
  }
}
