/**
 * Silence of a worker whose threads do not run: stopped by a signal, frozen, or stuck in the kernel.
 * Its watchdog reports once a second, even while the event loop is blocked.
 *
 * Attack on availability: on a busy machine healthy workers are silent, too. So a second counts only
 * if this process had its turn in time and no thread of the worker waits for a processor.
 */
import { readdirSync } from "node:fs";
import { attempt } from "../base/attempt.ts";
import { statFields } from "../base/process-identity.ts";

export interface SilenceOptions {
  /** Process id of the worker. */
  pid: number;
  /** Half of the limit has passed: a successor can be started. */
  onExpiring: () => void;
  /** Heard again after that. */
  onRecovered: () => void;
  /** The limit has passed; `reason` in words. */
  onExpired: (reason: string) => void;
}

const intervalMs = 1000;

/**
 * Counted seconds until a worker is given up. One that is idle may wait for a disk, as on a machine
 * that swaps.
 */
const limits = { stopped: 5, idle: 30 } as const;

export class Silence {
  readonly #options: SilenceOptions;
  #seconds = 0;
  #isHeard = false;
  #lastTick = 0;
  #isExpiring = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SilenceOptions) {
    this.#options = options;
  }

  /** Begins with the first report: a worker without a watchdog is never given up. */
  hear(): void {
    this.#seconds = 0;
    this.#isHeard = true;
    if (this.#isExpiring) this.#options.onRecovered();
    this.#isExpiring = false;
    if (this.#timer) return;
    this.#lastTick = performance.now();
    this.#timer = setInterval(() => this.tick(performance.now()), intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** `now` in milliseconds. */
  tick(now: number): void {
    const elapsed = now - this.#lastTick;
    this.#lastTick = now;
    // This process was stopped or starved: reports may wait to be read.
    if (elapsed > 1.5 * intervalMs) return;
    // The states of threads are many files: they are read for a silent worker only.
    if (this.#isHeard) return void (this.#isHeard = false);
    const activity = activityOf(this.#options.pid);
    if (activity === "running") return;
    this.#seconds += 1;
    const limit = limits[activity];
    if (this.#seconds >= limit) {
      this.stop();
      return this.#options.onExpired(`${activity} and silent for ${this.#seconds} s`);
    }
    if (this.#isExpiring || this.#seconds < limit / 2) return;
    this.#isExpiring = true;
    this.#options.onExpiring();
  }
}

/**
 * What all threads of a process do. `running`: one runs, waits for a processor, or is held by a
 * debugger; or the kernel does not tell. See proc(5).
 */
export function activityOf(pid: number): "running" | "idle" | "stopped" {
  const states = attempt(
    () =>
      readdirSync(`/proc/${pid}/task`).map((task) => {
        const [state = ""] = statFields(`/proc/${pid}/task/${task}/stat`);
        return state;
      }),
    [],
  );
  if (states.length === 0 || states.some((state) => /[Rt]/.test(state))) return "running";
  return states.every((state) => state === "T") ? "stopped" : "idle";
}
