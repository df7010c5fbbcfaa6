/** Resolution of local import specifiers, as in TypeScript; others are resolved by Node. */
import { dirname, extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compiledExtensions } from "./compile.ts";
import { realpath } from "./disk.ts";

/** Result, and every path tried: a file that appears there later changes it. */
export interface LocalResolution {
  /** Absolute path without symlinks, identity of the module; undefined when missing. */
  file: string | undefined;
  /** Absolute paths in order; the last one is the one found. */
  tried: readonly string[];
}

const extensions: readonly string[] = [...compiledExtensions, ".json"];

/** TypeScript allows the extension of its output in imports. */
const sourceExtensions: Readonly<Record<string, readonly string[]>> = {
  ".js": [".ts", ".tsx"],
  ".mjs": [".mts"],
  ".cjs": [".cts"],
  ".jsx": [".tsx"],
};

/** Whether a specifier is relative, absolute or a `file:` URL. */
export function isLocal(specifier: string): boolean {
  return /^(?:\.{0,2}\/|\.{1,2}$|file:)/.test(specifier);
}

/** Tries the exact file, `.ts` for `.js`, an added extension, and `/index` with an extension. */
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

function* candidates(target: string, isDirectory: boolean): Generator<string> {
  if (!isDirectory) {
    yield target;
    const extension = extname(target);
    const stem = target.slice(0, target.length - extension.length);
    for (const source of sourceExtensions[extension] ?? []) yield stem + source;
    for (const added of extensions) yield target + added;
  }
  for (const added of extensions) yield resolve(target, `index${added}`);
}
