/** Python modules that a configuration names, and the TypeScript modules in their places. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { getOrCreate } from "../../base/cache.ts";
import type { PythonPhase } from "./python-directives.ts";

/** Handlers of mod_python that are built into mod_ts. */
const builtIn: Readonly<Record<string, string>> = {
  "mod_python.publisher": "mod_ts/publisher",
  "mod_python.psp": "mod_ts/pages",
  "mod_python.cgihandler": "mod_ts/cgi",
  "mod_python.testhandler": "mod_ts/test-page",
};

export function isBuiltIn(python: string): boolean {
  return Object.hasOwn(builtIn, python);
}

export interface NeededExport {
  /** E.g. `handler`, or `site.page`. */
  readonly path: string;
  /** Undefined for a filter, and for what `PythonImport` calls. */
  readonly phase: PythonPhase | undefined;
  readonly kind: "handler" | "filter" | "connection" | "function";
}

export interface NeededModule {
  /** E.g. `trac.web.modpython_frontend`. */
  readonly python: string;
  /** File of the Python module, if it was found. */
  readonly source: string | undefined;
  /** Of the skeleton, relative to the directory of handlers. */
  readonly file: string;
  readonly exports: NeededExport[];
}

export class Modules {
  readonly #needed = new Map<string, NeededModule>();

  get needed(): readonly NeededModule[] {
    return [...this.#needed.values()];
  }

  /** The reference of a handler of mod_python, whose skeleton is then needed. */
  reference(handler: string, phase: PythonPhase, directories: readonly string[]): string {
    const [python = ""] = handler.split("::");
    const usual: NeededExport = { path: phase.name, phase, kind: "handler" };
    return isBuiltIn(python) ? builtIn[python]! : this.#refer(handler, directories, usual);
  }

  filter(handler: string, directories: readonly string[], direction: "input" | "output"): string {
    const path = `${direction}Filter`;
    return this.#refer(handler, directories, { path, phase: undefined, kind: "filter" });
  }

  connection(handler: string, directories: readonly string[]): string {
    const usual = { path: "connectionHandler", phase: undefined, kind: "connection" } as const;
    return this.#refer(handler, directories, usual);
  }

  #refer(handler: string, directories: readonly string[], usual: NeededExport): string {
    const [python = "", named = usual.path] = handler.split("::");
    const path = identifier(named);
    const { file } = this.#need(python, directories, { ...usual, path });
    return handler.includes("::") ? `${file}::${path}` : file;
  }

  /** A module that is imported at start-up, with the function that is called then. */
  preload(python: string, called: string | undefined, directories: readonly string[]): string {
    const needed =
      called === undefined
        ? undefined
        : { path: identifier(called), phase: undefined, kind: "function" as const };
    return this.#need(python, directories, needed).file;
  }

  #need(
    python: string,
    directories: readonly string[],
    needed: NeededExport | undefined,
  ): NeededModule {
    const source = findModule(python, directories);
    const module = getOrCreate(this.#needed, source ?? python, (): NeededModule => {
      return { python, source, file: this.#freeName(python, source), exports: [] };
    });
    if (needed && !module.exports.some(({ path }) => path === needed.path)) {
      module.exports.push(needed);
    }
    return module;
  }

  /** Modules of one name in two directories are two modules. */
  #freeName(python: string, source: string | undefined): string {
    const path = python.includes("/") ? basename(python, ".py") : python.replaceAll(".", "/");
    const name = `${path.replaceAll(/[^\w/-]/g, "_")}.ts`;
    const taken = new Set(this.needed.map(({ file }) => file));
    if (!taken.has(name)) return name;
    const directory = basename(dirname(source ?? "")).replaceAll(/[^\w-]/g, "_") || "other";
    for (let count = 1; ; count += 1) {
      const candidate = `${directory}${count === 1 ? "" : count}/${name}`;
      if (!taken.has(candidate)) return candidate;
    }
  }
}

/** Attack: an author of `.htaccess` files injects code into a skeleton. */
function identifier(path: string): string {
  return path.replaceAll(/[^\p{L}\p{N}_.]/gu, "_");
}

/** A module or package; mod_python 3.3 also took paths. */
export function findModule(python: string, directories: readonly string[]): string | undefined {
  const path = python.includes("/")
    ? python.replace(/\.py$/, "")
    : python.replace(/^\.+/, "").replaceAll(".", "/");
  const bases = path.startsWith("/") ? [""] : directories;
  return bases
    .flatMap((base) => [join(base, `${path}.py`), join(base, path, "__init__.py")])
    .find((file) => existsSync(file));
}

/** Directories that a `PythonPath` expression spells out. */
export function pathsOf(expression: string): string[] {
  const found = expression.matchAll(/'([^']*)'|"([^"\\]*)"/g);
  return [...found]
    .map(([, one, other]) => one ?? other ?? "")
    .filter((path) => path.startsWith("/"));
}
