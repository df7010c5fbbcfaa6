/** `node:worker_threads` of user modules, whose threads run TypeScript as handlers do. */
import threads, { type WorkerOptions } from "node:worker_threads";

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** Loaded by a thread before its file. */
const hooks = new URL(`./thread-hooks.${extension}`, import.meta.url).href;

/** A thread has no part in the graph of the loader: its files are compiled when it starts. */
class Worker extends threads.Worker {
  constructor(file: string | URL, options: WorkerOptions = {}) {
    super(file, { ...options, execArgv: [...(options.execArgv ?? []), "--import", hooks] });
  }
}

const exported = { ...threads, Worker };
const workerThreads = { ...exported, default: exported };

/** Modules for user code, by specifier. */
export const threadModules: Readonly<Record<string, object>> = {
  worker_threads: workerThreads,
  "node:worker_threads": workerThreads,
};
