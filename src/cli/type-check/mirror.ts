/** Pages of a directory as TypeScript, in another directory: the checked one is not changed. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { BuildError } from "../../loader/build-error.ts";
import type { Columns, Translation } from "../../loader/compile.ts";
import { translatePage } from "../../handlers/pages/translate.ts";

/** Replaces an invalid page, so that pages that include it have no errors. */
const stub = "export const $info: any = 0; export const $render: any = 0;\n";

export interface MirroredPage {
  readonly text: string;
  readonly columns: Columns;
}

export interface Mirror {
  /** By path relative to the directory. */
  readonly pages: ReadonlyMap<string, MirroredPage>;
  /** Relative paths of the modules. */
  readonly modules: readonly string[];
  /** Invalid pages. */
  readonly failures: readonly BuildError[];
}

/** Writes each page below `root` to the same place below `target`, with `.ts` appended. */
export function mirrorPages(root: string, directory: string): Mirror {
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
    mkdirSync(join(directory, dirname(name)), { recursive: true });
    writeFileSync(join(directory, `${name}.ts`), code);
  }
  const packages = nearest(root, "node_modules");
  if (packages) symlinkSync(packages, join(directory, "node_modules"));
  return { pages, modules, failures };
}

/** The nearest file of a name, upwards to the directory of the package. */
export function nearest(directory: string, name: string): string | undefined {
  if (existsSync(join(directory, name))) return join(directory, name);
  const isTop = existsSync(join(directory, "package.json")) || dirname(directory) === directory;
  return isTop ? undefined : nearest(dirname(directory), name);
}

/** The `tsconfig.json` that applies to a file, for editors and when it runs. */
export function tsconfigOf(file: string): string | undefined {
  for (let at = dirname(file); ; at = dirname(at)) {
    const found = join(at, "tsconfig.json");
    if (existsSync(found)) return found;
    if (at === dirname(at)) return undefined;
  }
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

/** Files without packages, hidden ones, and links, which may be circular. */
function* walk(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}
