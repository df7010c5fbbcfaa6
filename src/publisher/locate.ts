/**
 * From the file that Apache mapped the URL to, which need not exist, to a module and the names in it.
 *
 * | Apache says                               | module     | names    |
 * |-------------------------------------------|------------|----------|
 * | `/pub/hello.ts` or `/pub/hello`           | `hello.ts` | `index`  |
 * | `/pub/hello.ts` or `/pub/hello` and `/fn` | `hello.ts` | `fn`     |
 * | `/pub/`                                   | `index.ts` | `index`  |
 * | `/pub/fn`, where no `fn.ts` is            | `index.ts` | `fn`     |
 * | `/pub/fn` and `/a/b`, likewise            | `index.ts` | `fn a b` |
 * @module
 */
import type { ApacheRequest } from "../request/request.ts";
import { Folder, moduleExtensions } from "./folder.ts";

/** A module, and what is asked for in it. */
export interface Place {
  /** Absolute path. */
  readonly file: string;
  /** Names from the module inwards; never empty. */
  readonly names: readonly string[];
}

/** What Apache says of the URL. */
type Mapped = Pick<ApacheRequest, "filename" | "pathInfo" | "finfo">;

/** Folders that are remembered: an `AliasMatch` may let URLs name more of them than memory holds. */
const folderLimit = 1000;

/** Finds modules; one serves a process. */
export class Places {
  readonly #folders = new Map<string, Folder>();

  /** The module for a request; undefined where there is none, nor an index module, or where there is a file of another kind. */
  find(mapped: Mapped): Place | undefined {
    const { filename, pathInfo } = mapped;
    const slash = filename.lastIndexOf("/") + 1;
    const folder = this.#folder(filename.slice(0, slash));
    const name = filename.slice(slash);
    const names = split(pathInfo);
    if (name === "") return toPlace(folder.find("index"), names);
    const extension = moduleExtensions.find((end) => name.endsWith(end));
    const stem = extension ? name.slice(0, -extension.length) : name;
    const file = folder.find(stem, extension);
    return file ? toPlace(file, names) : this.#findIndex(mapped, folder, [stem, ...names]);
  }

  /** Makes the next look at the folder of a file a real one. */
  forget(file: string): void {
    this.#folders.delete(file.slice(0, file.lastIndexOf("/") + 1));
  }

  #findIndex({ filename, finfo }: Mapped, folder: Folder, names: string[]): Place | undefined {
    if (finfo.filetype === "regular") return undefined;
    // With `DirectorySlash Off` a folder comes without its slash.
    if (finfo.filetype !== "directory") return toPlace(folder.find("index"), names);
    return toPlace(this.#folder(`${filename}/`).find("index"), names.slice(1));
  }

  #folder(path: string): Folder {
    const known = this.#folders.get(path);
    if (known) return known;
    if (this.#folders.size >= folderLimit) this.#folders.clear();
    const folder = new Folder(path);
    this.#folders.set(path, folder);
    return folder;
  }
}

const index: readonly string[] = ["index"];

function toPlace(file: string | undefined, names: readonly string[]): Place | undefined {
  return file === undefined ? undefined : { file, names: names.length > 0 ? names : index };
}

/**
 * The segments of a path, without a slash at its end. Dots separate nothing, unlike in mod_python: a rule for
 * `<Location "/mod/admin">` would not hold for `/mod.admin`.
 */
function split(pathInfo: string): string[] {
  if (pathInfo === "" || pathInfo === "/") return [];
  const names = pathInfo.slice(1).split("/");
  if (names.at(-1) === "") names.pop();
  return names;
}
