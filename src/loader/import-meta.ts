/** `import.meta` of user modules. */
import { isBuiltin } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { resolvePackage } from "./packages.ts";
import { isLocal, resolveLocal } from "./resolve.ts";

declare global {
  interface ImportMeta {
    /**
     * State of the module that survives reloads: each version gets the object of the one before.
     *
     * The new version runs, and may take things out, before `dispose` of the old one. So a module
     * that hands a resource over must not close it in `dispose`.
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
    // Node.js was not started with this file.
    main: false,
    url: pathToFileURL(file).href,
    resolve: (specifier: string) => resolveUrl(specifier, file, exists),
    state,
  });
}

/** Node's own `import.meta.resolve` knows only its caller. */
function resolveUrl(specifier: string, file: string, exists: (path: string) => boolean): string {
  if (isBuiltin(specifier)) return specifier.startsWith("node:") ? specifier : `node:${specifier}`;
  if (!isLocal(specifier)) {
    if (URL.canParse(specifier)) return specifier;
    return pathToFileURL(resolvePackage(specifier, file)).href;
  }
  const resolved = resolveLocal(specifier, file, exists).file;
  // As in Node, the file need not exist: code may be about to write it.
  return resolved ? pathToFileURL(resolved).href : new URL(specifier, pathToFileURL(file)).href;
}
