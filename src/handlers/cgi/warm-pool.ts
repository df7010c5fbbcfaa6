/**
 * Processes that are ready before they are needed, for one script each.
 *
 * Attack: what a script leaves behind (globals, changed prototypes, loaded modules, timers,
 * connections) shows another user's data to the next one. So no process is used twice.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ScriptRun } from "./process-run.ts";
import type { ScriptBuild } from "./script-sources.ts";
import { WarmProcess } from "./warm-process.ts";

/** The replacement starts when the script is done or waits, not while it computes. */
const refillDelayMs = 100;

const surplusIntervalMs = 30_000;

/** None is started before the first script was requested. */
export class WarmPool {
  readonly #memory: number;
  readonly #limit: number;
  readonly #spare: WarmProcess[] = [];
  /** Grows with each request that finds no ready process, shrinks while some are unused. */
  #wanted: number;
  /** Least number of ready processes since the last check. */
  #unused = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param memory megabytes for each script */
  constructor(memory: number, limit: number) {
    this.#memory = memory;
    this.#limit = limit;
    this.#wanted = Math.min(1, limit);
  }

  get spare(): number {
    return this.#spare.length;
  }

  /** Runs a script in a ready process, else in a new one. Throws `MODTS_CGI_NOT_STARTED`. */
  run(file: string, env: Record<string, string>, build: ScriptBuild = {}): ScriptRun {
    const spare = this.#spare.shift();
    if (!spare?.ready && this.#timer) this.#wanted = Math.min(this.#wanted + 1, this.#limit);
    this.#unused = Math.min(this.#unused, this.#spare.length);
    const run = (spare ?? new WarmProcess(this.#memory)).run(file, env, build);
    this.#timer ??= setInterval(() => this.#endSurplus(), surplusIntervalMs).unref();
    void Promise.race([run.ended, sleep(refillDelayMs)]).then(() => this.#refill());
    return run;
  }

  /** Ends ready processes; running ones belong to their requests. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    const processes = this.#spare.splice(0);
    for (const process of processes) process.kill();
    await Promise.all(processes.map(({ ended }) => ended));
  }

  #refill(): void {
    while (!this.#closed && this.#spare.length < this.#wanted) {
      const process = new WarmProcess(this.#memory);
      this.#spare.push(process);
      void process.ended.then(() => {
        const at = this.#spare.indexOf(process);
        if (at >= 0) this.#spare.splice(at, 1);
      });
    }
  }

  #endSurplus(): void {
    if (this.#unused > 0 && this.#wanted > 1) {
      this.#wanted -= 1;
      this.#spare.pop()?.kill();
    }
    this.#unused = this.#spare.length;
  }
}
