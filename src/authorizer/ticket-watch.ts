/**
 * Files that decisions with tickets depend on: handlers with their imports, password files, keys.
 *
 * Events of the file system are fast, but can be lost. So the signatures of all files are also
 * compared every second.
 */
import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname } from "node:path";

const intervalMs = 1000;
/** Two changes within one tick of the file system's clock leave the same signature. */
const restlessMs = 50;

export class TicketWatch {
  readonly #onChange: (path: string) => void;
  readonly #signatures = new Map<string, string>();
  readonly #watchers = new Map<string, FSWatcher | undefined>();
  #timer: NodeJS.Timeout | undefined;

  constructor(onChange: (path: string) => void) {
    this.#onChange = onChange;
  }

  /**
   * Watches files, which need not exist. False if one of them has changed since a time in
   * milliseconds: a decision may have seen either version.
   */
  add(paths: Iterable<string>, since: number): boolean {
    let isQuiet = true;
    for (const path of paths) {
      // Before the signature, so that no change falls in between.
      this.#listen(dirname(path));
      const { signature, changed } = look(path);
      isQuiet &&=
        changed + restlessMs < since && (this.#signatures.get(path) ?? signature) === signature;
      this.#signatures.set(path, this.#signatures.get(path) ?? signature);
    }
    this.#timer ??= setInterval(() => this.check(), intervalMs).unref();
    return isQuiet;
  }

  /** Compares all files; stops to watch after a change. */
  check(): void {
    for (const [path, signature] of this.#signatures) {
      if (look(path).signature === signature) continue;
      this.clear();
      return this.#onChange(path);
    }
  }

  clear(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const watcher of this.#watchers.values()) watcher?.close();
    this.#watchers.clear();
    this.#signatures.clear();
  }

  #listen(directory: string): void {
    if (this.#watchers.has(directory)) return;
    this.#watchers.set(directory, undefined);
    try {
      const watcher = watch(directory, { persistent: false }, () => this.check());
      // Out of watches, or the directory was removed: the timer remains.
      watcher.on("error", () => {});
      this.#watchers.set(directory, watcher);
    } catch {
      // As above.
    }
  }
}

function look(path: string): { signature: string; changed: number } {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (!stat?.isFile()) return { signature: "", changed: 0 };
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = stat;
  return { signature: [dev, ino, size, mtimeNs, ctimeNs].join(" "), changed: Number(ctimeMs) };
}
