/**
 * Threads that are ready before they are needed. Each runs one script, and another one takes its place.
 *
 * A thread is not used twice: what a script leaves behind (globals, patched prototypes, the modules it loaded, timers, connections)
 * would be there for the next one, with the data of another user's request in it. To start a thread costs about
 * as much as to start a process; that it was done before is what a request gains.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { log } from "../log.ts";
import { ScriptThread } from "./script-thread.ts";
import { killGrace, type ScriptRun } from "./script-run.ts";
import type { RunOrder } from "./thread-protocol.ts";

/** Threads that wait for work, each about 10 MB. None before the first script was asked for. */
const spareThreads = 2;

/** Threads that run scripts, of all pools. */
const busy = new Set<ScriptThread>();

/**
 * At its end Node waits for its threads; one that sits in `execSync`, or in one of the loops that V8 cannot stop (see
 * `MODTS_CGI_STUCK`), would keep a worker for ever whose supervisor is gone.
 */
process.on("exit", () => {
  if (busy.size > 0) process.kill(process.pid, "SIGKILL");
});

/** Threads for scripts of one memory limit. */
export class ThreadPool {
  readonly #memory: number;
  readonly #spare: ScriptThread[] = [];
  #closed = false;

  /** @param memory megabytes that each script may hold */
  constructor(memory: number) {
    this.#memory = memory;
  }

  /** Runs a script in a thread that is ready. Rejects with `MODTS_CGI_NOT_STARTED`. */
  async run(order: RunOrder): Promise<ScriptRun> {
    const thread = this.#spare.shift() ?? new ScriptThread(this.#memory);
    busy.add(thread);
    void thread.gone.then(() => busy.delete(thread));
    const run = await thread.run(order);
    // Not before: they would take the processor from the one that a request waits for.
    this.#refill();
    return { ...run, kill: () => end(thread, order.file) };
  }

  /** Ends the threads that wait; those that run are their requests' business. */
  async close(): Promise<void> {
    this.#closed = true;
    const threads = this.#spare.splice(0);
    for (const thread of threads) thread.kill();
    await Promise.all(threads.map((thread) => thread.gone));
  }

  #refill(): void {
    while (!this.#closed && this.#spare.length < spareThreads) {
      const thread = new ScriptThread(this.#memory);
      this.#spare.push(thread);
      void thread.gone.then(() => {
        const at = this.#spare.indexOf(thread);
        if (at >= 0) this.#spare.splice(at, 1);
      });
    }
  }
}

function end(thread: ScriptThread, script: string): void {
  if (!busy.has(thread)) return;
  thread.kill();
  const timer = setTimeout(() => {
    const { level, message, code } = new ModTsError("MODTS_CGI_STUCK", { script });
    log(level, message, { code });
  }, killGrace);
  timer.unref();
  void thread.gone.then(() => clearTimeout(timer));
}
