/**
 * From an import specifier to a file: what TypeScript and bundlers understand, for local files alone.
 *
 * Everything else (packages, `node:`, `#imports`, URLs) belongs to Node's own loader.
 * @module
 */
import { dirname, extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compiledExtensions } from "./compile.ts";
import { realpath } from "./disk.ts";

/** Where a local specifier leads, and every path that was tried: a file that appears there later changes the answer. */
export interface LocalResolution {
  /** Absolute path without symlinks, the identity of a module; undefined when nothing was found. */
  file: string | undefined;
  /** Absolute paths, tried in this order; the last one is the path found. */
  tried: readonly string[];
}

const extensions: readonly string[] = [...compiledExtensions, ".json"];

/** TypeScript writes the extension of its output into an import. */
const sourceExtensions: Readonly<Record<string, readonly string[]>> = {
  ".js": [".ts", ".tsx"],
  ".mjs": [".mts"],
  ".cjs": [".cts"],
  ".jsx": [".tsx"],
};

/** Whether a specifier names a file: relative, absolute or a `file:` URL. */
export function isLocal(specifier: string): boolean {
  return /^(?:\.{0,2}\/|\.{1,2}$|file:)/.test(specifier);
}

/**
 * Resolves a local specifier: the exact file, `.js` written for `.ts`, an extension added, `/index` with an extension.
 * `exists` tells whether a path is a file.
 */
export function resolveLocal(
  specifier: string,
  importer: string,
  exists: (path: string) => boolean,
): LocalResolution {
  const target = specifier.startsWith("file:")
    ? fileURLToPath(specifier)
    : resolve(dirname(importer), specifier);
  const tried: string[] = [];
  for (const path of candidates(target, /(?:^|\/)\.{0,2}$/.test(specifier))) {
    tried.push(path);
    if (exists(path)) return { file: realpath(path), tried };
  }
  return { file: undefined, tried };
}

function* candidates(target: string, isFolder: boolean): Generator<string> {
  if (!isFolder) {
    yield target;
    const extension = extname(target);
    const stem = target.slice(0, target.length - extension.length);
    for (const source of sourceExtensions[extension] ?? []) yield stem + source;
    for (const added of extensions) yield target + added;
  }
  for (const added of extensions) yield resolve(target, `index${added}`);
}
