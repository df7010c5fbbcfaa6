/**
 * From the name in a handler reference to a module: a file inside the allowed folders, or one of ours.
 * @module
 */
import { existsSync, realpathSync } from "node:fs";
import { isAbsolute, resolve, sep } from "node:path";
import { ModTsError } from "./errors.ts";
import type { HandlerModule, Resolve } from "./handler.ts";

const prefix = "mod_ts/";

export interface ResolverOptions {
  /** Absolute paths of the folders where handler files may lie; relative names are looked up in this order. */
  roots: readonly string[];
  /** Loads a file, fresh. */
  load: (file: string, exportName: string) => HandlerModule | Promise<HandlerModule>;
  /** What `mod_ts/name` stands for, by name. */
  builtins: Readonly<Record<string, object>>;
}

/** Creates the function by which the engine finds handler modules. */
export function createResolver({ roots, load, builtins }: ResolverOptions): Resolve {
  const modules = new Map(
    Object.entries(builtins).map(([name, exports]) => [name, createBuiltin(name, exports)]),
  );
  // A name keeps the file it was found at: looking into each folder again would cost every request.
  const files = new Map<string, string>();
  return (name, exportName) => {
    if (name.startsWith(prefix)) return findBuiltin(modules, name.slice(prefix.length));
    let file = files.get(name);
    if (file === undefined) {
      file = findFile(name, roots);
      files.set(name, file);
    }
    return load(file, exportName);
  };
}

/**
 * Refuses a file that lies outside the folders by its real path: a symbolic link inside a folder must not let a file
 * from elsewhere run. The folders are resolved anew, as `current -> releases/42` may have moved on.
 * @throws ModTsError `MODTS_OUTSIDE_ROOTS`
 */
export function requireInside(file: string, roots: readonly string[]): void {
  if (!roots.some((root) => isInside(file, realPath(root)))) throw outside(file, roots);
}

function findFile(name: string, roots: readonly string[]): string {
  const candidates = isAbsolute(name) ? [resolve(name)] : roots.map((root) => resolve(root, name));
  // A page knows its own folder by the real path, which a folder that is a link does not begin with.
  const folders = [...roots, ...roots.map(realPath)];
  const allowed = candidates.filter((file) => folders.some((root) => isInside(file, root)));
  if (allowed.length === 0) throw outside(candidates[0] ?? name, roots);
  const found = allowed.find((file) => existsSync(file));
  if (found) return found;
  throw new ModTsError("MODTS_HANDLER_NOT_FOUND", { file: name, roots: roots.join(", ") });
}

function isInside(file: string, root: string): boolean {
  return file.startsWith(root.endsWith(sep) ? root : root + sep);
}

function outside(file: string, roots: readonly string[]): ModTsError {
  return new ModTsError("MODTS_OUTSIDE_ROOTS", { file, roots: roots.join(", ") });
}

function realPath(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function createBuiltin(name: string, exports: object): HandlerModule {
  return {
    exports: exports as Readonly<Record<string, unknown>>,
    file: prefix + name,
    generation: 0,
    release() {},
  };
}

function findBuiltin(modules: ReadonlyMap<string, HandlerModule>, name: string): HandlerModule {
  const module = modules.get(name);
  if (module) return module;
  const names = [...modules.keys()].map((known) => prefix + known).join(", ");
  throw new ModTsError("MODTS_UNKNOWN_BUILTIN", { name: prefix + name, names });
}
