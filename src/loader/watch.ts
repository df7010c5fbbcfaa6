/** File watcher that builds stale modules ahead of requests. Only a hint: watchers lose events. */
import type { FSWatcher } from "chokidar";
import { log } from "../base/log.ts";

/**
 * Files are checked again after the last event: two quick saves may cause one event, and a vanished
 * file counts as deleted only after a while.
 */
const recheckDelayMs = 120;

/** Calls back with paths that may have changed. */
export class Watch {
  readonly #onPaths: (paths: ReadonlySet<string>) => void;
  readonly #pollInterval: number | undefined;
  readonly #watched = new Set<string>();
  readonly #paths = new Set<string>();
  #watcher: Promise<FSWatcher> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `pollInterval` in milliseconds, for file systems without events, e.g. bind mounts. */
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
    }, recheckDelayMs);
    this.#timer.unref();
  }
}

function report(error: unknown): void {
  // Out of watches (ENOSPC) or descriptors: requests still see every save.
  log("warn", "watching files failed; saves are seen at the next request all the same", { error });
}
