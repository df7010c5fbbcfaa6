/**
 * Work that no request asks for: modules that run by themselves, and scheduled jobs. One worker of
 * the sidecar does it at a time.
 *
 * Each candidate waits for the duty. A worker that is replaced ends its work first, then the duty is
 * free for the next one; that of a killed worker is free at once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isModTsError, ModTsError, report } from "../base/errors.ts";
import { LockedRow } from "../base/locked-row.ts";
import type { BrokenModule } from "../base/version-store.ts";
import type { Resolve } from "../engine/handler.ts";
import { type Jobs, Schedule } from "./schedule.ts";

export interface BackgroundOptions {
  /** Files that run by themselves, looked up like handlers. */
  modules: readonly string[];
  schedule: Jobs;
  /** Absolute path of the file whose lock is the duty. */
  dutyFile: string;
  resolve: Resolve;
  /** Disposes of the current version of a module, by its absolute path. */
  unload(file: string): Promise<void>;
}

/** The right of one worker to do the work, with the time until when the worker before had it. */
type Duty = LockedRow<"until">;

/** Milliseconds between two tries for the duty, and two looks at the files of modules. */
const pollMs = 500;

/** Milliseconds between two notes, for the successor of a killed worker. */
const noteMs = 10_000;

/** Waits for the duty, and does the work until it is stopped. */
export class Background {
  readonly #options: BackgroundOptions;
  readonly #ending = new AbortController();
  readonly #finished: Promise<void>;
  readonly #problems = new Set<string>();

  constructor(options: BackgroundOptions) {
    this.#options = options;
    this.#finished = this.#run();
  }

  /** Resolves when running jobs have ended, modules are disposed of, and the duty is free. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#finished;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        const duty = await LockedRow.open(this.#options.dutyFile, "duty", ["until"]);
        if (duty) await this.#serve(duty);
      } catch (error) {
        this.#reportFile(error);
      }
      await this.#pause();
    }
  }

  async #serve(duty: Duty): Promise<void> {
    const { schedule: jobs, resolve } = this.#options;
    try {
      await this.#work(duty, new Schedule(jobs, resolve, () => this.#note(duty)));
    } finally {
      duty.close();
    }
  }

  async #work(duty: Duty, schedule: Schedule): Promise<void> {
    const files = new Set<string>();
    try {
      schedule.makeUp(duty.read()?.until);
      let noted = 0;
      while (!this.#ending.signal.aborted) {
        if (Date.now() - noted >= noteMs) {
          this.#note(duty);
          noted = Date.now();
        }
        for (const name of this.#options.modules) await this.#refresh(name, files);
        await this.#pause();
      }
    } finally {
      // Before the last job has ended: a time that comes meanwhile is made up.
      this.#note(duty);
      await schedule.stop();
      for (const file of files) await this.#options.unload(file);
    }
  }

  /** A full disk must not keep jobs from running. */
  #note(duty: Duty): void {
    try {
      duty.write({ until: Date.now() });
    } catch (error) {
      this.#reportFile(error);
    }
  }

  /** Loads a module, and its newest version after a save. */
  async #refresh(name: string, files: Set<string>): Promise<void> {
    try {
      const module = await this.#options.resolve(name, "");
      files.add(module.file);
      module.release();
    } catch (error) {
      this.#report(toModTsError(error, name));
    }
  }

  async #pause(): Promise<void> {
    await sleep(pollMs, undefined, { signal: this.#ending.signal, ref: false }).catch(() => {});
  }

  #reportFile(error: unknown): void {
    const { dutyFile: file } = this.#options;
    this.#report(new ModTsError("MODTS_BACKGROUND_FILE", { file, reason: String(error) }));
  }

  /** A problem that lasts is logged once. */
  #report(error: ModTsError): void {
    if (isLogged(error) || this.#problems.has(error.message)) return;
    this.#problems.add(error.message);
    report(error);
  }
}

/** Loads modules before a worker serves, and returns what is broken. Never rejects. */
export async function preload(names: readonly string[], resolve: Resolve): Promise<BrokenModule[]> {
  const broken: BrokenModule[] = [];
  for (const name of names) {
    try {
      (await resolve(name, "")).release();
    } catch (error) {
      const failure = toModTsError(error, name);
      if (!isLogged(failure)) report(failure);
      broken.push({ code: failure.code, message: failure.message, isServed: false });
    }
  }
  return broken;
}

/** A file that the sidecar may not read, for example: neither a worker nor other work depends on it. */
function toModTsError(error: unknown, module: string): ModTsError {
  if (isModTsError(error)) return error;
  return new ModTsError("MODTS_MODULE_UNAVAILABLE", { module, reason: String(error) });
}

/** The loader itself logs what it cannot build. */
function isLogged({ code }: ModTsError): boolean {
  return code.startsWith("MODTS_BUILD_");
}
