/** Imports loaded by Node, once per process: packages, built-ins, CommonJS files, addons. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import vm, { type SyntheticModule } from "node:vm";
import { getOrCreate } from "../base/cache.ts";
import { placeOfSyntaxError } from "./broken-package.ts";
import { BuildError, locate, withoutFrames } from "./build-error.ts";
import { findOwnSource } from "./packages.ts";

export interface ExternalRequest {
  /** A package, `node:` name, `#import` or URL. */
  specifier: string;
  /** Absolute path of the importer; resolution begins in its directory. */
  importer: string;
  /** Import attributes, e.g. `{ type: "json" }`. */
  attributes: ImportAttributes;
  /** Text of the importer, to show the line. */
  source?: string;
}

type Import = (specifier: string, options: ImportCallOptions) => Promise<object>;

/** Imported by compiled code with legacy decorators; a dependency of ours, not of the author's. */
const compilerHelpers = "@oxc-project/runtime/";

/** Stands for the importer in Node's messages, and is replaced there. */
const scriptName = "[mod_ts]";

/** Node's message for what the handler itself imports. */
const isMissing = /Cannot find (?:package|module)[^]*\[mod_ts\]/;

/** Imports through Node, and wraps the results for our module graph. */
export class ExternalModules {
  readonly #builtins: Readonly<Record<string, object>>;
  readonly #afterInstall: string;
  readonly #imports = new Map<string, Import>();
  readonly #modules = new Map<string, SyntheticModule>();
  /** By directory and specifier; Node keeps where packages lie as long. */
  readonly #ownSources = new Map<string, string>();

  /**
   * `builtins` are provided by the host, whatever is installed; `renewsPackages` of the process
   * is for the advice of errors.
   */
  constructor(builtins: Readonly<Record<string, object>>, renewsPackages = false) {
    this.#builtins = builtins;
    this.#afterInstall = renewsPackages ? "" : ", then mod-ts reload";
  }

  /** Path of an import that is no affair of Node's, see {@link findOwnSource}. */
  ownSource(specifier: string, importer: string): string | undefined {
    if (Object.hasOwn(this.#builtins, specifier)) return undefined;
    const key = `${dirname(importer)}\0${specifier}`;
    if (this.#modules.has(key)) return undefined;
    const file = this.#ownSources.get(key) ?? findOwnSource(specifier, importer);
    if (file !== undefined) this.#ownSources.set(key, file);
    return file;
  }

  /** Result of `import()`: Node's namespace object, or the module for a builtin. */
  async imported(request: ExternalRequest): Promise<object> {
    if (!Object.hasOwn(this.#builtins, request.specifier)) return this.namespace(request);
    const module = await this.module(request);
    await module.evaluate();
    return module;
  }

  /** Throws a {@link BuildError} that names a missing package and its importer. */
  async namespace(request: ExternalRequest): Promise<object> {
    const { specifier, importer, attributes } = request;
    if (Object.hasOwn(this.#builtins, specifier)) return this.#builtins[specifier] as object;
    try {
      const directory = specifier.startsWith(compilerHelpers)
        ? import.meta.dirname
        : dirname(importer);
      return await this.#importFrom(directory)(specifier, { with: attributes });
    } catch (error) {
      throw explain(error, request, this.#afterInstall);
    }
  }

  /** Module to link: one per directory and specifier. */
  async module(request: ExternalRequest): Promise<SyntheticModule> {
    const { specifier, importer } = request;
    const isBuiltin = Object.hasOwn(this.#builtins, specifier);
    const key = isBuiltin ? specifier : `${dirname(importer)}\0${specifier}`;
    const known = this.#modules.get(key);
    if (known) return known;
    const module = synthesize(specifier, await this.namespace(request));
    this.#modules.set(key, module);
    return module;
  }

  #importFrom(directory: string): Import {
    return getOrCreate(this.#imports, directory, () => {
      // Scripts run in the main context and resolve from their file name, with Node's own loader.
      const script = new vm.Script("(specifier, options) => import(specifier, options)", {
        filename: join(directory, scriptName),
        importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      });
      return script.runInThisContext() as Import;
    });
  }
}

/** Directories searched by Node for a package: if one appears there, the import is tried again. */
export function packageDirectories(specifier: string, importer: string): string[] {
  const name = packageName(specifier);
  return directoriesAbove(importer).map((directory) =>
    join(directory, "node_modules", name, "package.json"),
  );
}

/** That of a file first. */
export function directoriesAbove(file: string): string[] {
  const directory = dirname(file);
  return directory === file ? [] : [directory, ...directoriesAbove(directory)];
}

/** Without a path behind it: `@scope/name` of `@scope/name/deep`. */
function packageName(specifier: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}

function synthesize(identifier: string, namespace: object): SyntheticModule {
  const names = Object.keys(namespace);
  return new vm.SyntheticModule(
    names,
    function () {
      for (const name of names) this.setExport(name, Reflect.get(namespace, name));
    },
    { identifier },
  );
}

/** What installs a package, by the files of package managers. */
const installers: Readonly<Record<string, string>> = {
  "pnpm-lock.yaml": "pnpm add",
  "yarn.lock": "yarn add",
  "bun.lock": "bun add",
  "package-lock.json": "npm install",
};

/** Names such as `@/lib` and `~/lib` are aliases of bundlers: no package has them. */
function packageAdvice(specifier: string, importer: string, afterInstall: string): string {
  if (/^[@~]\//.test(specifier)) {
    return 'paths of tsconfig.json are not read: use "imports" of package.json, such as #lib/x.ts';
  }
  const above = directoriesAbove(importer);
  const has = (name: string): boolean => above.some((each) => existsSync(join(each, name)));
  if (has(".pnp.cjs") && process.versions["pnp"] === undefined) {
    return "with Plug'n'Play, start mod-ts with yarn, such as yarn mod-ts dev";
  }
  const lock = above
    .flatMap((each) => Object.keys(installers).filter((name) => existsSync(join(each, name))))
    .at(0);
  const command = installers[lock ?? "package-lock.json"];
  return `run ${command} ${packageName(specifier)}${afterInstall}`;
}

/** Names the importer in the place of {@link scriptName}. */
function nameImporter(error: unknown, importer: string): void {
  if (!(error instanceof Error) || !error.message.includes(scriptName)) return;
  const script = join(dirname(importer), scriptName);
  const { message, stack = "" } = error;
  error.message = message.replaceAll(script, () => importer);
  error.stack = stack.replaceAll(script, () => importer);
}

function describe(error: unknown, { specifier, importer }: ExternalRequest): string {
  if (!(error instanceof Error)) return String(error);
  const text = `${error.name}: ${error.message}`;
  const place =
    error instanceof SyntaxError ? placeOfSyntaxError(error, specifier, importer) : undefined;
  return place === undefined ? text : `${place}: ${text}`;
}

function explain(error: unknown, request: ExternalRequest, afterInstall: string): BuildError {
  const { specifier, importer, source } = request;
  const place = locate(source ?? "", JSON.stringify(specifier).slice(1, -1));
  const position = { file: importer, ...place };
  if (error instanceof Error && isMissing.test(error.message)) {
    const advice = packageAdvice(specifier, importer, afterInstall);
    const reason = `cannot find package "${specifier}", imported by ${importer}; ${advice}`;
    return new BuildError(reason, position, { source, cause: withoutFrames(error) });
  }
  nameImporter(error, importer);
  const reason = `import of "${specifier}" failed: ${describe(error, request)}`;
  return new BuildError(reason, position, { source, cause: error });
}
