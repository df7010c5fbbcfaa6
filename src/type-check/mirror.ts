/**
 * The pages of a folder as TypeScript, in a folder of their own: nothing is written into the folder that is checked.
 * @module
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { BuildError } from "../loader/build-error.ts";
import type { Columns } from "../loader/columns.ts";
import type { Translation } from "../loader/compile.ts";
import { translatePage } from "../pages/translate.ts";

/** Stands in for a page that cannot be translated, so that those that include it are not blamed. */
const stub = "export const $info: any = 0; export const $render: any = 0;\n";

/** A page, and the columns of its code. */
export interface MirroredPage {
  readonly text: string;
  readonly columns: Columns;
}

/** What was made of a folder. */
export interface Mirror {
  /** By path relative to the folder. */
  readonly pages: ReadonlyMap<string, MirroredPage>;
  /** Paths of the modules, relative to the folder. */
  readonly modules: readonly string[];
  /** Pages with a mistake of their own. */
  readonly failures: readonly BuildError[];
}

/** Writes each page below `root` to the same place below `folder`, with `.ts` behind its name. */
export function mirrorPages(root: string, folder: string): Mirror {
  const pages = new Map<string, MirroredPage>();
  const failures: BuildError[] = [];
  const modules: string[] = [];
  for (const file of walk(root)) {
    const name = relative(root, file);
    if (/\.(?:[mc]?ts|tsx)$/.test(name)) modules.push(name);
    if (!name.endsWith(".tsp")) continue;
    const text = readFileSync(file, "utf8");
    const { code, columns } = translate(file, text, failures);
    pages.set(name, { text, columns });
    mkdirSync(join(folder, dirname(name)), { recursive: true });
    writeFileSync(join(folder, `${name}.ts`), code);
  }
  const packages = nearest(root, "node_modules");
  if (packages) symlinkSync(packages, join(folder, "node_modules"));
  return { pages, modules, failures };
}

/** The nearest file or folder of a name, upwards from a folder to that of its package. */
export function nearest(folder: string, name: string): string | undefined {
  if (existsSync(join(folder, name))) return join(folder, name);
  const isTop = existsSync(join(folder, "package.json")) || dirname(folder) === folder;
  return isTop ? undefined : nearest(dirname(folder), name);
}

function translate(file: string, text: string, failures: BuildError[]): Translation {
  try {
    return translatePage(file, text);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    failures.push(error);
    return { code: stub, columns: [] };
  }
}

/** Files below a folder, but for packages and what is hidden. Links are not followed: they may lead in a circle. */
function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}
