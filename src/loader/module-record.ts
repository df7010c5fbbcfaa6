/** One version of a user module, and the V8 module that runs it. */
import { createHash } from "node:crypto";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import vm, { type SourceTextModule, type SyntheticModule } from "node:vm";
import { BuildError, escapePattern, locate, positionAt, withoutFrames } from "./build-error.ts";
import { compile, type CompiledCode, withInlineMap } from "./compile.ts";
import { DeadlineError, withinTime } from "../base/attempt.ts";
import { isDebugged } from "./debugger.ts";
import type { Input } from "./disk.ts";
import { ownExports } from "./own-exports.ts";
import { rememberSource } from "./stack.ts";
import type { StartedTimers } from "./timers.ts";

export interface Edge {
  /** Path of the module; undefined when missing, and the importer caught that. */
  file: string | undefined;
  /** Linked version; undefined when it failed to load, and the importer caught that. */
  target: ModuleRecord | undefined;
  /** Text that failed to load: another text makes the importer stale. */
  failedText?: string | undefined;
}

export interface ImportRequest {
  specifier: string;
  attributes: ImportAttributes;
}

/** Implements `import()` in a module. */
export type DynamicImport = (
  record: ModuleRecord,
  specifier: string,
  attributes: ImportAttributes,
) => Promise<object>;

/** Version of an entry; keeps the modules it reaches alive. */
export interface Owner {
  /** Files to watch for imports of running code. */
  addInputs(inputs: Iterable<Input>): void;
}

export interface RecordOptions {
  /** Absolute path without symlinks. */
  file: string;
  text: string;
  /** Undefined for JSON. */
  compiled: CompiledCode | undefined;
  /** `import.meta.state`. */
  state: Record<string, unknown>;
  /** Called once, before the code runs. */
  fillMeta: (meta: object, record: ModuleRecord) => void;
  importDynamic: DynamicImport;
}

/** Unique in the process, not per loader: stack maps are found by it. */
let serial = 0;

/** Whether V8's compilation cache was disabled at start: then it is not enabled again. */
const cacheIsOff = process.execArgv.includes("--no-compilation-cache");

const records = new WeakMap<object, ModuleRecord>();

const digests = new WeakMap<ModuleRecord, string>();

/**
 * Digest of the texts of a module and of all local files that it imports, the same in each process.
 * An `import()` counts if it has run before the first call.
 */
export function digestOf(record: ModuleRecord): string {
  const known = digests.get(record);
  if (known !== undefined) return known;
  const hash = createHash("sha256");
  const seen = new Set([record]);
  for (const each of seen) {
    hash.update(`${each.file}\0${each.text}\0`);
    for (const { target } of each.edges.values()) if (target) seen.add(target);
  }
  const digest = hash.digest("base64url");
  digests.set(record, digest);
  return digest;
}

export class ModuleRecord {
  readonly file: string;
  readonly text: string;
  /** Good versions of this file, from 1; 0 during the build. */
  generation: number = 0;
  readonly state: Record<string, unknown>;
  /** Milliseconds since the Unix epoch. */
  readonly loadedAt: number = Date.now();
  readonly module: SourceTextModule | SyntheticModule;
  /** Imports of local files by specifier, static and dynamic. */
  readonly edges: Map<string, Edge> = new Map();
  /** Other modules to link, by specifier. */
  readonly externals: Map<string, SyntheticModule> = new Map();
  /** Versions of entries that reach this record. */
  readonly owners: Set<Owner> = new Set();
  /** Of the build whose top levels ran with this one, if this one has started any. */
  timers: StartedTimers | undefined;
  /** Replaced when the build of this record ends. */
  importDynamic: DynamicImport;
  /** Whether the `dispose` hook was called. */
  disposed: boolean = false;
  /** Its code is shared with V8; undefined for JSON. */
  readonly compiled: CompiledCode | undefined;
  #ownExports: ReadonlySet<string> | undefined;

  /** Throws a {@link BuildError} for code that only V8 rejects, and for invalid JSON. */
  constructor(options: RecordOptions) {
    const { file, text, compiled } = options;
    this.file = file;
    this.text = text;
    this.state = options.state;
    this.importDynamic = options.importDynamic;
    this.compiled = compiled;
    const known = compiled?.facts?.ownExports;
    if (known) this.#ownExports = new Set(known);
    this.module = compiled ? createCode(options, compiled) : createJson(file, text);
    records.set(this.module, this);
  }

  /** Static imports, in order; empty for JSON. */
  get requests(): readonly ImportRequest[] {
    return this.module instanceof vm.SourceTextModule
      ? (this.module.moduleRequests as readonly ImportRequest[])
      : [];
  }

  /** Exports declared by the code itself; computed on demand. */
  get ownExports(): ReadonlySet<string> {
    return (this.#ownExports ??= ownExports(this.compiled?.code ?? ""));
  }

  /** Whether the top level has started. */
  get isEvaluated(): boolean {
    return this.module.status === "evaluated";
  }

  /** Whether the top level still waits. */
  async isWaiting(): Promise<boolean> {
    if (!this.isEvaluated) return false;
    const done = this.module.evaluate().then(
      () => false,
      () => false,
    );
    return Promise.race([done, new Promise<boolean>((resolve) => setImmediate(resolve, true))]);
  }

  /** Links the module; edges and externals must be complete. Idempotent. */
  link(): void {
    if (!(this.module instanceof vm.SourceTextModule) || this.module.status !== "unlinked") return;
    this.module.linkRequests(
      this.module.moduleRequests.map(({ specifier }) => this.#linked(specifier)),
    );
  }

  /** Runs all top levels reached, once each. Throws a {@link DeadlineError} after `timeout` ms. */
  async evaluate(timeout: number): Promise<void> {
    const { module } = this;
    if (module instanceof vm.SourceTextModule && module.status === "unlinked") module.instantiate();
    try {
      await withinTime(Promise.resolve(module.evaluate({ timeout })), timeout);
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

export function isJson(file: string): boolean {
  return extname(file) === ".json";
}

function createCode(options: RecordOptions, compiled: CompiledCode): SourceTextModule {
  const { file, text, fillMeta } = options;
  // Editors set breakpoints by a pattern of the URL: `file:///path/live.ts`, maybe with a query.
  const identifier = `${pathToFileURL(file).href}?v=${++serial}`;
  try {
    // With the cache on, V8 keeps every version: 62 KB per reload, out of memory in small heaps.
    if (!cacheIsOff) setFlagsFromString("--no-compilation-cache");
    // An attached debugger shows the author's lines; without one, the map would only take memory.
    const code = isDebugged() ? withInlineMap(compiled) : compiled.code;
    const module = new vm.SourceTextModule(code, {
      identifier,
      // Hooks look the record up: a closure would keep everything it reaches.
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

/** V8 reports few positions; most other mistakes are mistakes of JavaScript, too. */
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

/** V8 reports the name but no place: it is searched in the source. */
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

/** A name as a whole word. */
function wordPattern(name: string): RegExp {
  return new RegExp(`(?<![\\w$])${escapePattern(name)}(?![\\w$])`);
}
