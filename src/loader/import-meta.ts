/**
 * What `import.meta` is in a user module.
 * @module
 */
import { createRequire, isBuiltin } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { isLocal, resolveLocal } from "./resolve.ts";

declare global {
  interface ImportMeta {
    /**
     * An object that lives as long as the file's path lives in this process: each version of a module gets the same one
     * from the version before. For what must survive a reload: a counter, a cache, a pool.
     *
     * The new version runs, and may take things out, before `dispose` of the old one does. So a module that hands a
     * resource over must not close it in `dispose`.
     *
     * @example
     * import.meta.state["hits"] ??= new Map<string, number>();
     */
    readonly state: Record<string, unknown>;
  }
}

/** Fills `import.meta` of a module: Node's own members, and `state`. */
export function fillImportMeta(
  meta: object,
  module: { file: string; state: Record<string, unknown> },
  exists: (path: string) => boolean,
): void {
  const { file, state } = module;
  Object.assign(meta, {
    dirname: dirname(file),
    filename: file,
    url: pathToFileURL(file).href,
    resolve: (specifier: string) => resolveUrl(specifier, file, exists),
    state,
  });
}

/** Node's own `import.meta.resolve` knows no other importer than its caller: packages resolve as `require` does. */
function resolveUrl(specifier: string, file: string, exists: (path: string) => boolean): string {
  if (isBuiltin(specifier)) return specifier.startsWith("node:") ? specifier : `node:${specifier}`;
  if (!isLocal(specifier)) {
    if (URL.canParse(specifier)) return specifier;
    return pathToFileURL(createRequire(file).resolve(specifier)).href;
  }
  const resolved = resolveLocal(specifier, file, exists).file;
  // A URL of a file that does not exist is a fine answer: Node gives it, and code uses it to name a file to write.
  return resolved ? pathToFileURL(resolved).href : new URL(specifier, pathToFileURL(file)).href;
}
