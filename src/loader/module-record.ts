/**
 * One version of one user module, and the V8 module that runs it.
 * @module
 */
import { extname } from "node:path";
import { setFlagsFromString } from "node:v8";
import vm, { type SourceTextModule, type SyntheticModule } from "node:vm";
import { BuildError, escapePattern, locate, positionAt, withoutFrames } from "./build-error.ts";
import { compile, type CompiledCode } from "./compile.ts";
import { DeadlineError, withDeadline } from "./deadline.ts";
import type { Input } from "./disk.ts";
import { ownExports } from "./own-exports.ts";
import { rememberSource } from "./stack.ts";

/** An import of a local file. */
export interface Edge {
  /** Path of the module; undefined when nothing was found and the importer could live without. */
  file: string | undefined;
  /** The version that was linked; undefined when it could not be loaded and the importer caught that. */
  target: ModuleRecord | undefined;
  /** Text of the file that could not be loaded: another text is worth another build of the importer. */
  failedText?: string | undefined;
}

/** A static import of any kind. */
export interface ImportRequest {
  specifier: string;
  attributes: ImportAttributes;
}

/** Answers `import()` in a module. */
export type DynamicImport = (
  record: ModuleRecord,
  specifier: string,
  attributes: ImportAttributes,
) => Promise<object>;

/** A version of an entry, which keeps the modules it reaches alive. */
export interface Owner {
  /** Files to watch beyond those of the build, because running code imported something. */
  addInputs(inputs: Iterable<Input>): void;
}

/** What a new record is made of. */
export interface RecordOptions {
  /** Absolute path without symlinks. */
  file: string;
  text: string;
  /** Undefined for JSON. */
  compiled: CompiledCode | undefined;
  /** Number of times that everything was declared stale. */
  epoch: number;
  /** `import.meta.state`. */
  state: Record<string, unknown>;
  /** Called once, before the code runs. */
  fillMeta: (meta: object, record: ModuleRecord) => void;
  importDynamic: DynamicImport;
}

/** Identifiers are unique in the process, not in one loader: the stack maps are found by them. */
let serial = 0;

/** Whether the process was started without V8's compilation cache: then it is not ours to switch on. */
const cacheIsOff = process.execArgv.includes("--no-compilation-cache");

const records = new WeakMap<object, ModuleRecord>();

/** A module version. Lives as long as a version of an entry that reaches it. */
export class ModuleRecord {
  readonly file: string;
  readonly text: string;
  readonly epoch: number;
  /** Counts the versions of this file that were good, from 1; 0 while it is being built. */
  generation: number = 0;
  readonly state: Record<string, unknown>;
  /** Milliseconds since the epoch of Unix. */
  readonly loadedAt: number = Date.now();
  readonly module: SourceTextModule | SyntheticModule;
  /** Imports of local files by specifier, static and dynamic. */
  readonly edges: Map<string, Edge> = new Map();
  /** Modules to link, by specifier, that are not local files. */
  readonly externals: Map<string, SyntheticModule> = new Map();
  /** The versions of entries that reach this record. */
  readonly owners: Set<Owner> = new Set();
  /** Answers `import()`; replaced when the build of this record ends. */
  importDynamic: DynamicImport;
  /** Set once the `dispose` hook was called. */
  disposed: boolean = false;
  /** The string that V8 keeps anyway; undefined for JSON. */
  readonly #code: string | undefined;
  #ownExports: ReadonlySet<string> | undefined;

  /** Throws a {@link BuildError} for what the compiler let pass and V8 does not, and for bad JSON. */
  constructor(options: RecordOptions) {
    const { file, text, compiled } = options;
    this.file = file;
    this.text = text;
    this.epoch = options.epoch;
    this.state = options.state;
    this.importDynamic = options.importDynamic;
    this.#code = compiled?.code;
    this.module = compiled ? createCode(options, compiled) : createJson(file, text);
    records.set(this.module, this);
  }

  /** What the code imports statically, in order; empty for JSON. */
  get requests(): readonly ImportRequest[] {
    return this.module instanceof vm.SourceTextModule
      ? (this.module.moduleRequests as readonly ImportRequest[])
      : [];
  }

  /** Names that the code declares and exports itself; found out when first asked for. */
  get ownExports(): ReadonlySet<string> {
    return (this.#ownExports ??= ownExports(this.#code ?? ""));
  }

  /** Whether the top level was run; it may still wait for something. */
  get isEvaluated(): boolean {
    return this.module.status === "evaluated";
  }

  /** Whether the top level still waits for something. */
  async isWaiting(): Promise<boolean> {
    if (!this.isEvaluated) return false;
    const done = this.module.evaluate().then(
      () => false,
      () => false,
    );
    return Promise.race([done, new Promise<boolean>((resolve) => setImmediate(resolve, true))]);
  }

  /** Connects the module with what it imports; the edges and externals must be complete. Linking twice is harmless. */
  link(): void {
    if (!(this.module instanceof vm.SourceTextModule) || this.module.status !== "unlinked") return;
    this.module.linkRequests(
      this.module.moduleRequests.map(({ specifier }) => this.#linked(specifier)),
    );
  }

  /**
   * Runs the top level, and those of all modules it reaches, within `timeout` milliseconds, else throws a
   * {@link DeadlineError}. A module that ran already is not run again.
   */
  async evaluate(timeout: number): Promise<void> {
    const { module } = this;
    if (module instanceof vm.SourceTextModule && module.status === "unlinked") module.instantiate();
    try {
      await withDeadline(Promise.resolve(module.evaluate({ timeout })), timeout);
    } catch (error) {
      const isLoop = Reflect.get(Object(error), "code") === "ERR_SCRIPT_EXECUTION_TIMEOUT";
      throw isLoop ? new DeadlineError(timeout) : error;
    }
  }

  #linked(specifier: string): SourceTextModule | SyntheticModule {
    const module = this.externals.get(specifier) ?? this.edges.get(specifier)?.target?.module;
    if (!module) throw new TypeError(`${this.file} is not ready to link: ${specifier}`);
    return module;
  }
}

/** Whether a file holds JSON rather than code. */
export function isJson(file: string): boolean {
  return extname(file) === ".json";
}

function createCode(options: RecordOptions, compiled: CompiledCode): SourceTextModule {
  const { file, text, fillMeta } = options;
  const identifier = `${file}?v=${++serial}`;
  try {
    // With its cache on, V8 keeps every version beyond full collections: 62 KB a reload, out of memory at small heaps.
    if (!cacheIsOff) setFlagsFromString("--no-compilation-cache");
    const module = new vm.SourceTextModule(compiled.code, {
      identifier,
      // The hooks find the record by the module: a closure over it would keep all that the record reaches.
      initializeImportMeta: (meta, self) => fillMeta(meta, records.get(self) as ModuleRecord),
      importModuleDynamically: importDynamically as never,
    });
    rememberSource(identifier, { file, text, compiled });
    return module;
  } catch (error) {
    throw explain(error, file, text);
  } finally {
    if (!cacheIsOff) setFlagsFromString("--compilation-cache");
  }
}

async function importDynamically(
  specifier: string,
  module: object,
  attributes: ImportAttributes,
): Promise<object> {
  const record = records.get(module) as ModuleRecord;
  return record.importDynamic(record, specifier, attributes);
}

function createJson(file: string, text: string): SyntheticModule {
  const value = parseJson(file, text);
  const evaluate = function (this: SyntheticModule): void {
    this.setExport("default", value);
  };
  return new vm.SyntheticModule(["default"], evaluate, { identifier: file });
}

function parseJson(file: string, source: string): unknown {
  try {
    return JSON.parse(source.replace(/^\uFEFF/, ""));
  } catch (error) {
    const place = { file, ...locateJsonError(file, source, error as SyntaxError) };
    throw new BuildError(`SyntaxError: ${(error as SyntaxError).message}`, place, { source });
  }
}

/** V8 tells the position of some mistakes only; most others are mistakes of JavaScript as well. */
function locateJsonError(
  file: string,
  source: string,
  { message }: SyntaxError,
): { line: number; column: number } {
  const index = /position (\d+)/.exec(message)?.[1];
  if (index !== undefined) return positionAt(source, Number(index));
  try {
    compile(`${file}.js`, `(\n${source}\n)`);
    return { line: 0, column: 0 };
  } catch (error) {
    const { line, column } = error as BuildError;
    return { line: line - 1, column };
  }
}

/** V8 names what is wrong but not where: the first quoted or regular expression text is looked up in the source. */
function explain(error: unknown, file: string, source: string): unknown {
  if (!(error instanceof SyntaxError)) return error;
  const name = /'(.+?)'/.exec(error.message)?.[1];
  const expression = /expression: (\/.+\/\w*):/.exec(error.message)?.[1];
  const search = expression ?? (name === undefined ? undefined : wordPattern(name));
  const place = search === undefined ? { line: 0, column: 0 } : locate(source, search);
  return new BuildError(
    `SyntaxError: ${error.message}`,
    { file, ...place },
    { source, cause: withoutFrames(error) },
  );
}

/** A name as a whole word, preferably where it is exported: the declaration is rarely what V8 complains of. */
function wordPattern(name: string): RegExp {
  return new RegExp(`(?<![\\w$])${escapePattern(name)}(?![\\w$])`);
}
