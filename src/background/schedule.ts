/** Scheduled jobs of the worker that has the duty. */
import { Cron } from "croner";
import { ModTsError, report } from "../base/errors.ts";
import { parseReference } from "../engine/handler-reference.ts";
import type { Job, Resolve } from "../engine/handler.ts";
import { findFunction } from "../engine/phase-runner.ts";

/** A job of the configuration. */
export interface ScheduledJob {
  /** A pattern of cron: minute, hour, day, month, weekday; with six fields, seconds first. */
  cron: string;
  /** Handler reference, e.g. `jobs.ts::report`; the export is `job` by default. */
  run: string;
  /** Time zone of the pattern, e.g. `Europe/Vienna`. @default that of the machine */
  timezone?: string;
}

export type Jobs = Readonly<Record<string, ScheduledJob>>;

/** Milliseconds of a change of the worker: what fell into it is made up, what is older is not. */
const handoverMs = 120_000;

/** Starts jobs at their times until it is stopped. */
export class Schedule {
  readonly #resolve: Resolve;
  readonly #onStart: () => void;
  readonly #crons = new Map<string, Cron>();
  readonly #running = new Set<Promise<void>>();
  readonly #ending = new AbortController();

  /** `onStart` is called when a job is about to run. */
  constructor(jobs: Jobs, resolve: Resolve, onStart: () => void) {
    this.#resolve = resolve;
    this.#onStart = onStart;
    for (const [name, { cron, run, timezone }] of Object.entries(jobs)) {
      const protect = (): void => report(new ModTsError("MODTS_JOB_OVERLAPS", { job: name }));
      const options = { protect, ...(timezone !== undefined && { timezone }) };
      this.#crons.set(name, new Cron(cron, options, () => this.#run(name, run)));
    }
  }

  /** Runs the jobs whose time came while the duty changed hands, once each. */
  makeUp(since: number | undefined): void {
    const now = Date.now();
    if (since === undefined || now - since > handoverMs) return;
    for (const cron of this.#crons.values()) {
      const missed = cron.nextRun(new Date(since));
      if (missed && missed.getTime() <= now) void cron.trigger();
    }
  }

  /** Starts no more jobs, aborts their signals, and resolves when the running ones have ended. */
  async stop(): Promise<void> {
    for (const cron of this.#crons.values()) cron.stop();
    this.#ending.abort();
    await Promise.all(this.#running);
  }

  #run(name: string, reference: string): Promise<void> {
    this.#onStart();
    const run = this.#call(name, reference).catch((error: unknown) =>
      report(new ModTsError("MODTS_JOB_FAILED", { job: name }), { error }),
    );
    this.#running.add(run);
    return run.finally(() => this.#running.delete(run));
  }

  /** The newest version of the module, held while the job runs. */
  async #call(name: string, reference: string): Promise<void> {
    const { module: file, path } = parseReference(reference);
    const names = path.length > 0 ? path : ["job"];
    const module = await this.#resolve(file, names[0] as string);
    try {
      const job = findFunction(module, names) as Job;
      await job({ name, signal: this.#ending.signal });
    } finally {
      module.release();
    }
  }
}
