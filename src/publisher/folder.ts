/**
 * The modules of one folder, looked up without asking the disk twice.
 *
 * A name with the first extension needs no look at all once it was seen: nothing can come before it, and the loader notices when
 * the file itself changes or goes. For all others the time stamp of the folder tells whether a file came or went.
 * @module
 */
import { readdirSync, statSync } from "node:fs";

/** What is published, in the order in which a URL without extension tries them. */
export const moduleExtensions: readonly string[] = [".ts", ".tsx", ".mts", ".js", ".mjs"];

/** Milliseconds in which a second change may leave the same time stamp. */
const clockTick = 20;

/** Lives as long as the process. */
export class Folder {
  readonly #path: string;
  #modules: ReadonlySet<string> = new Set();
  /** What `stat` said when the modules were listed; undefined when that proves nothing. */
  #stamp: string | undefined;

  /** @param path absolute, with a slash at its end */
  constructor(path: string) {
    this.#path = path;
  }

  /** Absolute path of the module with this name; with the extension, when one is named. */
  find(stem: string, extension?: string): string | undefined {
    if (stem === "") return undefined;
    const certain = stem + (extension ?? moduleExtensions[0]);
    if (this.#modules.has(certain)) return this.#path + certain;
    this.#refresh();
    const extensions = extension === undefined ? moduleExtensions : [extension];
    const found = extensions.find((end) => this.#modules.has(stem + end));
    return found === undefined ? undefined : this.#path + stem + found;
  }

  #refresh(): void {
    const stamp = stampOf(this.#path);
    if (stamp !== undefined && stamp === this.#stamp) return;
    // The stamp comes before the list: the other way round, a file that appears between the two would stay unseen.
    this.#stamp = undefined;
    this.#modules = list(this.#path);
    this.#stamp = stamp;
  }
}

function stampOf(path: string): string | undefined {
  try {
    const { mtimeMs, ctimeMs, ino, dev } = statSync(path);
    return Date.now() - ctimeMs < clockTick ? undefined : `${mtimeMs} ${ctimeMs} ${ino} ${dev}`;
  } catch {
    return undefined;
  }
}

function list(path: string): ReadonlySet<string> {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return new Set(
      entries
        .filter((entry) => entry.isFile() || entry.isSymbolicLink())
        .map(({ name }) => name)
        .filter((name) => moduleExtensions.some((extension) => name.endsWith(extension))),
    );
  } catch (error) {
    if (!absent.has((error as NodeJS.ErrnoException).code)) throw error;
    return new Set();
  }
}

/**
 * Not there, no folder, not for us to read: no modules. Trap: one moment without a free file descriptor would hide them until the folder changes.
 */
const absent: ReadonlySet<string | undefined> = new Set([
  "ENOENT",
  "ENOTDIR",
  "EACCES",
  "ELOOP",
  "ENAMETOOLONG",
]);
