/**
 * Log handlers of requests that Apache serves by itself: it writes a line for each, see
 * `TsLogHandler` in `apache-conf/mod_ts.conf`, and one worker follows the file.
 *
 * A file and no pipe: a reader of a pipe that stops stops the whole server, and runs as root.
 */
import { type FSWatcher, watch } from "node:fs";
import { isModTsError, ModTsError, report } from "../base/errors.ts";
import { LockedRow } from "../base/locked-row.ts";
import type { Engine } from "../engine/phases.ts";
import { LineReader } from "./finished-request.ts";
import { type LogPosition, Tail } from "./tail.ts";

/** Milliseconds between two looks at a file that reports no change, or that another process reads. */
const pollMs = 500;

/** How far the log has been read, so that the next process can continue there. */
const columns = ["device", "inode", "offset"] as const;

/** Requests whose log handlers run at the same time. */
const concurrency = 32;

export interface AccessLogOptions {
  /** Absolute path of the log. */
  file: string;
  /** Absolute path of the file that keeps the position. */
  positionFile: string;
  engine: Engine;
  /** Name of the pool. */
  interpreter: string;
  /** Name of the sidecar where Apache has several. @default none */
  sidecar?: string;
}

/** Reads the log until it is stopped. */
export class AccessLog {
  readonly #options: AccessLogOptions;
  readonly #reader: LineReader;
  readonly #finished: Promise<void>;
  #isStopped = false;
  #wake = (): void => {};
  /** The last problem that was logged. */
  #problem = "";

  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#reader = new LineReader(options.interpreter, options.sidecar);
    this.#finished = this.#run();
  }

  /** Resolves when the handlers of the last batch have ended, and its position is kept. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    await this.#finished;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const position = await LockedRow.open(this.#options.positionFile, "position", columns);
        if (position) await this.#follow(position);
      } catch (error) {
        this.#report(error);
      }
      await this.#pause();
    }
  }

  async #follow(positions: LockedRow<keyof LogPosition>): Promise<void> {
    const before = positions.read();
    // Without a position, what was written before the start may have been handled already.
    const since = before ? 0 : Date.now() / 1000 - process.uptime();
    const tail = new Tail(this.#options.file, before);
    let watcher: FSWatcher | undefined;
    try {
      while (!this.#isStopped) {
        const batch = await tail.read();
        if (!batch) {
          watcher ??= this.#watch();
          await this.#pause();
          continue;
        }
        await this.#handle(batch.lines, since);
        positions.write(batch.position);
        this.#problem = "";
      }
    } finally {
      watcher?.close();
      await tail.close();
      positions.close();
    }
  }

  /** Handlers start in the order of the lines. */
  async #handle(lines: readonly Buffer[], since: number): Promise<void> {
    const running = new Set<Promise<void>>();
    for (const line of lines) {
      const call = this.#call(line, since).finally(() => running.delete(call));
      running.add(call);
      if (running.size >= concurrency) await Promise.race(running);
    }
    await Promise.all(running);
  }

  async #call(line: Buffer, since: number): Promise<void> {
    try {
      const finished = this.#reader.read(line, since);
      if (finished) await this.#options.engine.log(finished.req, finished.directives);
    } catch (error) {
      this.#report(error);
    }
  }

  /** Undefined if the system has no watches left; {@link pollMs} is enough. */
  #watch(): FSWatcher | undefined {
    try {
      const watcher = watch(this.#options.file, () => this.#wake());
      return watcher.on("error", () => watcher.close());
    } catch {
      return undefined;
    }
  }

  async #pause(): Promise<void> {
    if (this.#isStopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  /** A problem that lasts is logged once. */
  #report(reason: unknown): void {
    const { file } = this.#options;
    const error = isModTsError(reason)
      ? reason
      : new ModTsError("MODTS_ACCESS_LOG_UNREADABLE", { file, reason: String(reason) });
    if (error.message === this.#problem) return;
    this.#problem = error.message;
    report(error);
  }
}
