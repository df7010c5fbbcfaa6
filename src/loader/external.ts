/**
 * Everything that Node loads itself, once: packages, built-ins, CommonJS files, addons.
 * They change with a new process, never within one: a native module, once imported, is kept by Node for ever.
 * @module
 */
import { dirname, join } from "node:path";
import vm, { type SyntheticModule } from "node:vm";
import { BuildError, locate, withoutFrames } from "./build-error.ts";

/** An import that is Node's: what the user wrote and where. */
export interface ExternalRequest {
  /** A package, `node:` name, `#import` or URL. */
  specifier: string;
  /** Absolute path of the importing file; resolution begins in its folder. */
  importer: string;
  /** Import attributes, e.g. `{ type: "json" }`. */
  attributes: ImportAttributes;
  /** Text of the importing file, to show the line. */
  source?: string;
}

type Import = (specifier: string, options: ImportCallOptions) => Promise<object>;

/** Stands for the importer in Node's messages, where it is replaced by the true name. */
const scriptName = "[mod_ts]";

/** Imports through Node, and wraps what comes back for our own module graph. */
export class ExternalModules {
  readonly #builtins: Readonly<Record<string, object>>;
  readonly #imports = new Map<string, Import>();
  readonly #modules = new Map<string, SyntheticModule>();

  /** `builtins` are specifiers that the host answers, whatever is installed beside the importer. */
  constructor(builtins: Readonly<Record<string, object>>) {
    this.#builtins = builtins;
  }

  /** What `import()` answers: Node's namespace object, or the module that stands for what the host answers. */
  async imported(request: ExternalRequest): Promise<object> {
    if (!Object.hasOwn(this.#builtins, request.specifier)) return this.namespace(request);
    const module = await this.module(request);
    await module.evaluate();
    return module;
  }

  /** The namespace object. Throws a {@link BuildError} that names package and importer when it does not exist. */
  async namespace(request: ExternalRequest): Promise<object> {
    const { specifier, importer, attributes } = request;
    if (Object.hasOwn(this.#builtins, specifier)) return this.#builtins[specifier] as object;
    try {
      return await this.#importFrom(dirname(importer))(specifier, { with: attributes });
    } catch (error) {
      throw explain(error, request);
    }
  }

  /** The same as a module to link: one per folder and specifier, ready evaluated or soon to be. */
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

  #importFrom(folder: string): Import {
    const known = this.#imports.get(folder);
    if (known) return known;
    // A script runs in the main context and resolves from its file name: Node's own loader, seen from the user's folder.
    const script = new vm.Script("(specifier, options) => import(specifier, options)", {
      filename: join(folder, scriptName),
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    const made = script.runInThisContext() as Import;
    this.#imports.set(folder, made);
    return made;
  }
}

/** Folders in which Node looks for a package: one that appears there later makes the import worth another try. */
export function packageFolders(specifier: string, importer: string): string[] {
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  const folders: string[] = [];
  for (let folder = dirname(importer), last = ""; folder !== last; folder = dirname(folder)) {
    folders.push(join(folder, "node_modules", name, "package.json"));
    last = folder;
  }
  return folders;
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

function explain(error: unknown, request: ExternalRequest): BuildError {
  const { specifier, importer, source } = request;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const isOurs = text.includes(scriptName) && /Cannot find (?:package|module)/.test(text);
  const reason = isOurs
    ? `cannot find package "${specifier}", imported by ${importer}`
    : `import of "${specifier}" failed: ${text.replaceAll(join(dirname(importer), scriptName), importer)}`;
  const place = locate(source ?? "", JSON.stringify(specifier).slice(1, -1));
  return new BuildError(
    reason,
    { file: importer, ...place },
    { source, cause: isOurs ? withoutFrames(error) : error },
  );
}
