/**
 * The watcher: a hint, never the truth. It warms up what a save made stale before the next request asks, and lets the
 * error page refresh. Every watcher loses events; a request looks at the files itself.
 * @module
 */
import type { FSWatcher } from "chokidar";
import { log } from "../log.ts";

/**
 * Milliseconds after the last event at which files are looked at once more: two quick saves may give one event, and a
 * file that vanished counts as deleted only after a while.
 */
const afterthought = 120;

/** Watches files, and calls back with the paths that may have changed. */
export class Watch {
  readonly #onPaths: (paths: ReadonlySet<string>) => void;
  readonly #pollInterval: number | undefined;
  readonly #watched = new Set<string>();
  readonly #paths = new Set<string>();
  #watcher: Promise<FSWatcher> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `pollInterval` in milliseconds, for file systems that send no events, such as bind mounts. */
  constructor(onPaths: (paths: ReadonlySet<string>) => void, pollInterval?: number) {
    this.#onPaths = onPaths;
    this.#pollInterval = pollInterval;
  }

  /** Watches more files; they need not exist. */
  add(paths: Iterable<string>): void {
    const added = [...paths].filter((path) => !this.#watched.has(path));
    if (added.length === 0 || this.#isClosed) return;
    for (const path of added) this.#watched.add(path);
    this.#watcher ??= this.#start();
    this.#watcher.then((watcher) => watcher.closed || watcher.add(added)).catch(report);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const watcher = await this.#watcher;
    await watcher?.close();
  }

  async #start(): Promise<FSWatcher> {
    const { watch } = await import("chokidar");
    const watcher = watch([], {
      ignoreInitial: true,
      persistent: false,
      ...(this.#pollInterval !== undefined && {
        backend: "polling",
        pollingInterval: this.#pollInterval,
      }),
    });
    watcher.on("all", (_event, path) => this.#hear(path));
    watcher.on("error", report);
    return watcher;
  }

  #hear(path: string): void {
    if (this.#isClosed) return;
    this.#paths.add(path);
    this.#onPaths(this.#paths);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#onPaths(new Set(this.#paths));
      this.#paths.clear();
    }, afterthought);
    this.#timer.unref();
  }
}

function report(error: unknown): void {
  // Out of watches (ENOSPC) or of descriptors: the next request still sees every save.
  log("warn", "watching files failed; saves are seen at the next request all the same", { error });
}
