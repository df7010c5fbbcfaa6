/**
 * Lookup of the module and names for the file that Apache mapped the URL to, existing or not.
 *
 * | Apache says                               | module     | names    |
 * |-------------------------------------------|------------|----------|
 * | `/pub/hello.ts` or `/pub/hello`           | `hello.ts` | `index`  |
 * | `/pub/hello.ts` or `/pub/hello` and `/fn` | `hello.ts` | `fn`     |
 * | `/pub/`                                   | `index.ts` | `index`  |
 * | `/pub/fn`, where no `fn.ts` is            | `index.ts` | `fn`     |
 * | `/pub/fn` and `/a/b`, likewise            | `index.ts` | `fn a b` |
 */
import { readdirSync, statSync } from "node:fs";
import { getOrCreate } from "../../base/cache.ts";
import { attempt } from "../../base/attempt.ts";
import type { ApacheRequest } from "../../request/request.ts";

export interface Place {
  /** Absolute path. */
  readonly file: string;
  /** Names from the module inwards; never empty. */
  readonly names: readonly string[];
}

type Mapped = Pick<ApacheRequest, "filename" | "pathInfo" | "finfo">;

/** Directories kept: with `AliasMatch`, URLs may name more of them than fit in memory. */
const maxDirectories = 1000;

export class Places {
  readonly #directories = new Map<string, ModuleDirectory>();

  /** Undefined when there is neither a module nor an index module, or another kind of file. */
  find(mapped: Mapped): Place | undefined {
    const { filename, pathInfo } = mapped;
    const slash = filename.lastIndexOf("/") + 1;
    const directory = this.#directory(filename.slice(0, slash));
    const name = filename.slice(slash);
    const names = split(pathInfo);
    if (name === "") return toPlace(directory.find("index"), names);
    const extension = moduleExtensions.find((end) => name.endsWith(end));
    const stem = extension ? name.slice(0, -extension.length) : name;
    const file = directory.find(stem, extension);
    return file ? toPlace(file, names) : this.#findIndex(mapped, directory, [stem, ...names]);
  }

  /** Makes the next lookup in the directory of a file ask the disk. */
  forget(file: string): void {
    this.#directories.delete(file.slice(0, file.lastIndexOf("/") + 1));
  }

  #findIndex(
    { filename, finfo }: Mapped,
    directory: ModuleDirectory,
    names: string[],
  ): Place | undefined {
    if (finfo.filetype === "regular") return undefined;
    // With `DirectorySlash Off`, directories come without a slash.
    if (finfo.filetype !== "directory") return toPlace(directory.find("index"), names);
    return toPlace(this.#directory(`${filename}/`).find("index"), names.slice(1));
  }

  #directory(path: string): ModuleDirectory {
    if (this.#directories.size >= maxDirectories) this.#directories.clear();
    return getOrCreate(this.#directories, path, () => new ModuleDirectory(path));
  }
}

const index: readonly string[] = ["index"];

function toPlace(file: string | undefined, names: readonly string[]): Place | undefined {
  return file === undefined ? undefined : { file, names: names.length > 0 ? names : index };
}

/**
 * Segments of a path. Dots separate nothing (mod_python: they do). Attack: a rule for `<Location
 * "/mod/admin">` does not apply to `/mod.admin`.
 */
function split(pathInfo: string): string[] {
  if (pathInfo === "" || pathInfo === "/") return [];
  const names = pathInfo.slice(1).split("/");
  if (names.at(-1) === "") names.pop();
  return names;
}

/** Published extensions, in the order in which URLs without extension try them. */
const moduleExtensions: readonly string[] = [".ts", ".tsx", ".mts", ".js", ".mjs"];

/** Second changes within this time may leave the same time stamp. */
const clockTickMs = 20;

/**
 * Modules of one directory. Known names with the first extension are not looked up again: nothing
 * precedes them, and the loader notices changes of the file itself. For others, the time stamp of
 * the directory shows whether files were added or removed.
 */
export class ModuleDirectory {
  readonly #path: string;
  #modules: ReadonlySet<string> = new Set();
  /** From `stat` when the modules were listed; undefined when that proves nothing. */
  #stamp: string | undefined;

  /** @param path absolute, with a slash at its end */
  constructor(path: string) {
    this.#path = path;
  }

  /** Absolute path of the module with this name; with the extension, if one is named. */
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
    // Stat before listing: otherwise a file added in between would stay unseen.
    this.#stamp = undefined;
    this.#modules = list(this.#path);
    this.#stamp = stamp;
  }
}

function stampOf(path: string): string | undefined {
  const stats = attempt(() => statSync(path), undefined);
  if (!stats || Date.now() - stats.ctimeMs < clockTickMs) return undefined;
  const { mtimeMs, ctimeMs, ino, dev } = stats;
  return `${mtimeMs} ${ctimeMs} ${ino} ${dev}`;
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
 * These mean no modules. Trap: a temporary lack of file descriptors (EMFILE) would hide them until
 * the directory changes.
 */
const absent: ReadonlySet<string | undefined> = new Set(
  "ENOENT ENOTDIR EACCES ELOOP ENAMETOOLONG".split(" "),
);
