/** `node:worker_threads` of user modules, whose threads run TypeScript as handlers do. */
import threads, { type WorkerOptions } from "node:worker_threads";

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** Loaded by a thread before its file. */
const hooks = new URL(`./thread-hooks.${extension}`, import.meta.url).href;

/** A thread has no part in the graph of the loader: its files are compiled when it starts. */
class Worker extends threads.Worker {
  constructor(file: string | URL, options: WorkerOptions = {}) {
    // Node passes the flags of the process on only where none are given.
    const flags = options.execArgv ?? process.execArgv;
    try {
      super(file, { ...options, execArgv: [...flags, "--import", hooks] });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (options.execArgv || code !== "ERR_WORKER_INVALID_EXEC_ARGV") throw error;
      // Those of V8 and of the whole process are no flags of a thread.
      super(file, { ...options, execArgv: ["--import", hooks] });
    }
  }
}

const exported = { ...threads, Worker };
const workerThreads = { ...exported, default: exported };

/** Modules for user code, by specifier. */
export const threadModules: Readonly<Record<string, object>> = {
  worker_threads: workerThreads,
  "node:worker_threads": workerThreads,
};
