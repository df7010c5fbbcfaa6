/** All loaded user modules, and the queue of their builds. */
import { AsyncLocalStorage } from "node:async_hooks";
import { extname } from "node:path";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { getOrCreate } from "../base/cache.ts";
import { ModTsError, report } from "../base/errors.ts";
import { log } from "../base/log.ts";
import { compileAside, largeFile, type LanguageModule, UncompiledFile } from "./aside.ts";
import {
  asBuildError,
  BuildError,
  formatPosition,
  orThrow,
  type SourcePosition,
} from "./build-error.ts";
import type { CompileCache } from "./compile-cache.ts";
import { compile, type CompiledCode, type Languages } from "./compile.ts";
import { Disk } from "./disk.ts";
import { ExternalModules } from "./external.ts";
import { fillImportMeta } from "./import-meta.ts";
import { type DynamicImport, isJson, ModuleRecord, type Owner } from "./module-record.ts";
import type { GuardMarks } from "./guard-marks.ts";
import type { Pasts } from "./past.ts";
import { isLocal } from "./resolve.ts";
import { forgetSource } from "./stack.ts";
import { closure, type Past, Transaction, type Workshop } from "./transaction.ts";
import { withinTime } from "../base/attempt.ts";
import { during } from "../base/vitals.ts";

/** Times in milliseconds. */
export interface GraphOptions {
  evaluateTimeout: number;
  disposeTimeout: number;
  builtins: Readonly<Record<string, object>>;
  renewsPackages: boolean;
  approve: (file: string) => void;
  languages: Languages;
  languageModules: Readonly<Record<string, LanguageModule>>;
  cache: CompileCache | undefined;
  pasts: Pasts | undefined;
  guards: readonly string[];
  guardMarks: GuardMarks | undefined;
}

/** Replaced modules after which the heap is collected: V8 itself would wait until it is full. */
const collectedModules = 100;
/** The pause grows with the heap; this one takes about 100 ms. */
const maxCollectedBytes = 128 * 1024 ** 2;
/** The request after a save does not wait for it. */
const collectDelayMs = 500;

export class Graph implements Workshop {
  readonly disk: Disk = new Disk();
  readonly externals: ExternalModules;
  readonly latest: Map<string, ModuleRecord> = new Map();
  readonly evaluateTimeout: number;
  readonly approve: (file: string) => void;
  /** Last good builds of all workers. */
  readonly pasts: Pasts | undefined;
  /** Exports that a save must not lose. */
  readonly guards: readonly string[];
  readonly guardMarks: GuardMarks | undefined;
  /** Whether the process is about to end. */
  isClosing: boolean = false;
  readonly #options: GraphOptions;
  readonly #compiled = new Map<string, { text: string; result: CompiledCode | BuildError }>();
  readonly #generations = new Map<string, number>();
  readonly #alive = new Set<ModuleRecord>();
  readonly #states = new Map<string, Record<string, unknown>>();
  /** Builds run outside of the request that caused them: top-level code must not keep its store. */
  readonly #outside = AsyncLocalStorage.snapshot();
  #tail: Promise<unknown> = Promise.resolve();
  #active: Transaction | undefined;
  /** Since the last collection. */
  #replaced = 0;

  constructor(options: GraphOptions) {
    this.externals = new ExternalModules(options.builtins, options.renewsPackages);
    this.evaluateTimeout = options.evaluateTimeout;
    this.approve = options.approve;
    this.pasts = options.pasts;
    this.guards = options.guards;
    this.guardMarks = options.guardMarks;
    this.#options = options;
  }

  /** Modules reached by any version, including replaced ones still held. */
  alive(): ReadonlySet<ModuleRecord> {
    return this.#alive;
  }

  /** Runs a build after all earlier ones; of `past`, not of the files, if it is given. */
  run<T>(job: (transaction: Transaction) => Promise<T>, past?: Past): Promise<T> {
    const result = this.#tail.then(() =>
      this.#outside(() => during("builds", () => this.#runAlone(job, past))),
    );
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async idle(): Promise<void> {
    await this.#tail;
  }

  isTranslated(path: string): boolean {
    return Object.hasOwn(this.#options.languages, extname(path));
  }

  createRecord(file: string, text: string, importDynamic: DynamicImport): ModuleRecord {
    const compiled = isJson(file) ? undefined : this.#compile(file, text);
    return new ModuleRecord({
      file,
      text,
      compiled,
      state: getOrCreate(this.#states, file, () => ({})),
      fillMeta: this.#fillMeta,
      importDynamic,
    });
  }

  settle(record: ModuleRecord): void {
    record.generation = (this.#generations.get(record.file) ?? 0) + 1;
    this.#generations.set(record.file, record.generation);
    this.latest.set(record.file, record);
  }

  /** Makes a build the newest version; without a root, discards unused modules. */
  async commit(transaction: Transaction, root?: ModuleRecord): Promise<void> {
    await transaction.close();
    const { past } = transaction;
    const importDynamic = past ? this.#importerOf(past) : this.#importDynamic;
    void this.#dispose(transaction.commit(root, importDynamic));
    for (const { importer, target } of transaction.foreign) {
      for (const owner of importer.owners) {
        this.enter(owner, target);
        owner.addInputs(transaction.inputs.values());
      }
    }
  }

  enter(owner: Owner, root: ModuleRecord): void {
    for (const record of closure([root])) {
      record.owners.add(owner);
      this.#alive.add(record);
    }
  }

  /** Modules without owners are disposed of, importers before their imports. */
  leave(owner: Owner, root: ModuleRecord): Promise<void> {
    const unused: ModuleRecord[] = [];
    for (const record of closure([root])) {
      if (record.owners.delete(owner) && record.owners.size === 0) unused.push(record);
    }
    for (const record of unused) this.#forget(record);
    return this.#dispose(unused);
  }

  /** Runs a build of an earlier version within the build that has failed. */
  runWithin<T>(past: Past, job: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#runAlone(job, past);
  }

  async #runAlone<T>(job: (transaction: Transaction) => Promise<T>, past?: Past): Promise<T> {
    const before = this.#active;
    const transaction = new Transaction(this, past);
    if (past) this.#adoptCompiled(past);
    this.#active = transaction;
    try {
      return await job(transaction);
    } finally {
      this.#active = before;
    }
  }

  /** With the compiler of then: settings in tsconfig.json may have changed, or be broken. */
  #adoptCompiled({ files, isCompiled }: Past): void {
    if (!isCompiled) return;
    for (const [file, { text, compiled }] of Object.entries(files)) {
      if (compiled) this.#compiled.set(file, { text, result: compiled });
    }
  }

  /** Implements `import()` of modules in use. Within one version the result stays the same. */
  readonly #importDynamic = this.#importerOf(undefined);

  #importerOf(past: Past | undefined): DynamicImport {
    return async (record, specifier, attributes) => {
      const target = record.edges.get(specifier)?.target;
      if (target) {
        await target.module.evaluate();
        return target.module;
      }
      if (!this.#isOwn(specifier, record.file)) {
        const { file: importer, text: source } = record;
        const request = { specifier, importer, attributes, source };
        return this.#outside(() => during("builds", () => this.externals.imported(request)));
      }
      const active = this.#active;
      // Deadlock: the running build waits for this import, which waits behind it in the queue.
      if (active && !active.isClosed) {
        return this.#outside(() => active.importFrom(record, specifier, attributes));
      }
      return this.run(async (transaction) => {
        try {
          return await transaction.importFrom(record, specifier, attributes);
        } finally {
          await this.commit(transaction);
        }
      }, past);
    };
  }

  #isOwn(specifier: string, importer: string): boolean {
    return isLocal(specifier) || this.externals.ownSource(specifier, importer) !== undefined;
  }

  readonly #fillMeta = (meta: object, record: ModuleRecord): void => {
    fillImportMeta(meta, record, (path) => this.disk.signature(path) !== undefined);
  };

  #compile(file: string, text: string): CompiledCode {
    const known = this.#compiled.get(file);
    if (known?.text === text) return orThrow(known.result);
    const kept = this.isTranslated(file) ? this.#options.cache?.get(file, text) : undefined;
    if (!kept && this.#isLarge(file, text)) throw new UncompiledFile(file, text);
    const result = kept ?? compile(file, text, this.#options.languages);
    if (!kept) this.#keep(file, text, result);
    this.#compiled.set(file, { text, result });
    return result;
  }

  async compileAside({ file, text }: UncompiledFile): Promise<void> {
    const { languages, languageModules } = this.#options;
    const job = { file, source: text, language: languageModules[extname(file)] };
    const result = await compileAside(job, languages).catch(asBuildError);
    if (!(result instanceof BuildError)) this.#keep(file, text, result);
    this.#compiled.set(file, { text, result });
  }

  #isLarge(file: string, text: string): boolean {
    if (text.length < largeFile) return false;
    return !this.isTranslated(file) || Object.hasOwn(this.#options.languageModules, extname(file));
  }

  /** TypeScript compiles faster than a file is read. */
  #keep(file: string, text: string, compiled: CompiledCode): void {
    if (this.isTranslated(file)) this.#options.cache?.set(file, text, compiled);
  }

  #forget(record: ModuleRecord): void {
    this.#alive.delete(record);
    if (this.latest.get(record.file) !== record) return;
    this.latest.delete(record.file);
    this.disk.forget(record.file);
    this.#compiled.delete(record.file);
  }

  async #dispose(records: readonly ModuleRecord[]): Promise<void> {
    await this.#outside(() => dispose(records, this.#options.disposeTimeout));
    if (!this.isClosing) for (const record of records) reportTimers(record);
    for (const { file } of records) if (!this.latest.has(file)) forgetSource(file);
    this.#replaced += records.length;
    if (this.#replaced < collectedModules) return;
    this.#replaced = 0;
    setTimeout(collectGarbage, collectDelayMs).unref();
  }
}

function collectGarbage(): void {
  if (getHeapStatistics().used_heap_size > maxCollectedBytes) return;
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: object) => void;
  setFlagsFromString("--no-expose-gc");
  // Otherwise the space of new objects, which builds have filled, keeps its size.
  collect({ type: "major", flavor: "last-resort" });
}

/**
 * Calls `dispose(import.meta.state)` of each module that exports it, sequentially and at most once.
 *
 * Hooks that throw, or exceed `limit` milliseconds, are logged: they must not stop a reload.
 */
export async function dispose(records: Iterable<ModuleRecord>, limit: number): Promise<void> {
  for (const record of records) {
    if (record.disposed || !record.isEvaluated) continue;
    record.disposed = true;
    // A waiting top level may still open resources: its hook runs after it, if it ever ends.
    if (await record.isWaiting()) record.module.evaluate().then(() => call(record, limit), ignore);
    else await call(record, limit);
  }
}

async function call(record: ModuleRecord, limit: number): Promise<void> {
  try {
    const hook: unknown = Reflect.get(record.module.namespace, "dispose");
    if (typeof hook !== "function") return;
    await withinTime(Promise.resolve(hook(record.state)), limit);
  } catch (error) {
    log("error", `dispose of ${record.file} failed`, { error });
  }
}

/** A save that adds a timer each time makes all of them work. */
function reportTimers({ file, timers }: ModuleRecord): void {
  const name = (timer: string, place: SourcePosition): void =>
    report(new ModTsError("MODTS_TIMER_LEFT", { file, timer, place: formatPosition(place) }));
  for (const place of timers?.runningIntervals(file) ?? []) name("an interval", place);
  timers?.watchRenewals(file, (place) => name("a timer that renews itself", place));
}

function ignore(): void {
  // It failed: there is nothing to dispose of.
}
