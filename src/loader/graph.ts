/**
 * All loaded user modules, and the one queue through which they are built.
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { extname } from "node:path";
import type { CompileCache } from "./compile-cache.ts";
import { compile, type CompiledCode, type Languages } from "./compile.ts";
import { Disk } from "./disk.ts";
import { dispose } from "./dispose.ts";
import { ExternalModules } from "./external.ts";
import { fillImportMeta } from "./import-meta.ts";
import { isJson, ModuleRecord, type DynamicImport, type Owner } from "./module-record.ts";
import { isLocal } from "./resolve.ts";
import { forgetSource } from "./stack.ts";
import { closure, Transaction, type Workshop } from "./transaction.ts";

/** Times in milliseconds, and what the host answers. */
export interface GraphOptions {
  evaluateTimeout: number;
  disposeTimeout: number;
  builtins: Readonly<Record<string, object>>;
  approve: (file: string) => void;
  languages: Languages;
  cache: CompileCache | undefined;
}

/** The modules of one loader. */
export class Graph implements Workshop {
  readonly disk: Disk = new Disk();
  readonly externals: ExternalModules;
  readonly latest: Map<string, ModuleRecord> = new Map();
  readonly evaluateTimeout: number;
  readonly approve: (file: string) => void;
  epoch: number = 0;
  readonly #disposeTimeout: number;
  readonly #languages: Languages;
  readonly #cache: CompileCache | undefined;
  readonly #compiled = new Map<string, { text: string; compiled: CompiledCode }>();
  readonly #generations = new Map<string, number>();
  readonly #alive = new Set<ModuleRecord>();
  readonly #states = new Map<string, Record<string, unknown>>();
  /** A build runs outside of the request that asked for it, or top-level code and its timers would keep that one's store. */
  readonly #outside = AsyncLocalStorage.snapshot();
  #tail: Promise<unknown> = Promise.resolve();
  #active: Transaction | undefined;

  constructor(options: GraphOptions) {
    this.externals = new ExternalModules(options.builtins);
    this.evaluateTimeout = options.evaluateTimeout;
    this.approve = options.approve;
    this.#disposeTimeout = options.disposeTimeout;
    this.#languages = options.languages;
    this.#cache = options.cache;
  }

  /** Every module that a version of an entry reaches, be it replaced but still held. */
  alive(): ReadonlySet<ModuleRecord> {
    return this.#alive;
  }

  /** Runs a build when all that were asked for before are done. */
  run<T>(job: (transaction: Transaction) => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => this.#outside(() => this.#runAlone(job)));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Resolves when no build is under way. */
  async idle(): Promise<void> {
    await this.#tail;
  }

  isTranslated(path: string): boolean {
    return Object.hasOwn(this.#languages, extname(path));
  }

  createRecord(file: string, text: string, importDynamic: DynamicImport): ModuleRecord {
    const compiled = isJson(file) ? undefined : this.#compile(file, text);
    return new ModuleRecord({
      file,
      text,
      compiled,
      epoch: this.#active?.epoch ?? this.epoch,
      state: this.#stateOf(file),
      fillMeta: this.#fillMeta,
      importDynamic,
    });
  }

  settle(record: ModuleRecord): void {
    record.generation = (this.#generations.get(record.file) ?? 0) + 1;
    this.#generations.set(record.file, record.generation);
    this.latest.set(record.file, record);
  }

  /** Makes a build the newest version of what `root` reaches; without a root, throws away what nobody uses. */
  async commit(transaction: Transaction, root?: ModuleRecord): Promise<void> {
    await transaction.close();
    void this.#dispose(transaction.commit(root, this.#importDynamic));
    for (const { importer, target } of transaction.foreign) {
      for (const owner of importer.owners) {
        this.enter(owner, target);
        owner.addInputs(transaction.inputs.values());
      }
    }
  }

  /** Adds an owner to all modules that a module reaches. */
  enter(owner: Owner, root: ModuleRecord): void {
    for (const record of closure([root])) {
      record.owners.add(owner);
      this.#alive.add(record);
    }
  }

  /** Takes an owner away. Modules that nobody owns any more are disposed of, importers before what they import. */
  leave(owner: Owner, root: ModuleRecord): Promise<void> {
    const unused: ModuleRecord[] = [];
    for (const record of closure([root])) {
      if (record.owners.delete(owner) && record.owners.size === 0) unused.push(record);
    }
    for (const record of unused) this.#forget(record);
    return this.#dispose(unused);
  }

  async #runAlone<T>(job: (transaction: Transaction) => Promise<T>): Promise<T> {
    const transaction = new Transaction(this);
    this.#active = transaction;
    try {
      return await job(transaction);
    } finally {
      this.#active = undefined;
    }
  }

  /** Answers `import()` of modules that are in use. Within one version the answer stays the same. */
  readonly #importDynamic: DynamicImport = async (record, specifier, attributes) => {
    if (!isLocal(specifier)) {
      const { file: importer, text: source } = record;
      return this.#outside(() =>
        this.externals.imported({ specifier, importer, attributes, source }),
      );
    }
    const target = record.edges.get(specifier)?.target;
    if (target) {
      await target.module.evaluate();
      return target.module;
    }
    const active = this.#active;
    // A build under way may be waiting for this very import: behind it in the queue, both would wait for ever.
    if (active && !active.isClosed) {
      return this.#outside(() => active.importFrom(record, specifier, attributes));
    }
    return this.run(async (transaction) => {
      try {
        return await transaction.importFrom(record, specifier, attributes);
      } finally {
        await this.commit(transaction);
      }
    });
  };

  readonly #fillMeta = (meta: object, record: ModuleRecord): void => {
    fillImportMeta(meta, record, (path) => this.disk.signature(path) !== undefined);
  };

  #compile(file: string, text: string): CompiledCode {
    const known = this.#compiled.get(file);
    if (known?.text === text) return known.compiled;
    const compiled = this.isTranslated(file) ? this.#compileKept(file, text) : compile(file, text);
    this.#compiled.set(file, { text, compiled });
    return compiled;
  }

  #compileKept(file: string, text: string): CompiledCode {
    const kept = this.#cache?.get(file, text);
    if (kept) return kept;
    const compiled = compile(file, text, this.#languages);
    this.#cache?.set(file, text, compiled);
    return compiled;
  }

  #stateOf(file: string): Record<string, unknown> {
    const state = this.#states.get(file) ?? {};
    this.#states.set(file, state);
    return state;
  }

  #forget(record: ModuleRecord): void {
    this.#alive.delete(record);
    if (this.latest.get(record.file) !== record) return;
    this.latest.delete(record.file);
    this.disk.forget(record.file);
    this.#compiled.delete(record.file);
  }

  async #dispose(records: readonly ModuleRecord[]): Promise<void> {
    await this.#outside(() => dispose(records, this.#disposeTimeout));
    for (const { file } of records) if (!this.latest.has(file)) forgetSource(file);
  }
}
