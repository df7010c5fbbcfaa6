/** One build: a module and everything it reaches, committed or discarded as a whole. */
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import type { SyntheticModule } from "node:vm";
import { UncompiledFile } from "./aside.ts";
import { BuildError, locateImport } from "./build-error.ts";
import { withinTime } from "../base/attempt.ts";
import { compiledExtensions, type CompiledCode } from "./compile.ts";
import type { Disk, Input } from "./disk.ts";
import { packageDirectories, type ExternalModules } from "./external.ts";
import {
  type DynamicImport,
  type ImportRequest,
  isJson,
  type ModuleRecord,
} from "./module-record.ts";
import { isLocal, resolveLocal, type LocalResolution } from "./resolve.ts";
import { explain } from "./explain.ts";
import { Staleness } from "./staleness.ts";
import { StartedTimers, watchTimers } from "./timers.ts";

/** A local file of an earlier build. */
export interface PastFile {
  readonly text: string;
  /** Undefined for JSON. */
  readonly compiled?: CompiledCode | undefined;
  /** Where its imports led; null: nowhere, and the file caught that. */
  readonly edges: Readonly<Record<string, string | null>>;
}

/** An earlier good build of an entry, which can be built again whatever the files are now. */
export interface Past {
  readonly id: string;
  /** Path of the entry without symlinks. */
  readonly root: string;
  readonly exports: readonly string[];
  readonly files: Readonly<Record<string, PastFile>>;
  /** Whether the compiled code is that of this version of mod_ts. */
  readonly isCompiled: boolean;
}

/** Shared by all builds of a loader. */
export interface Workshop {
  readonly disk: Disk;
  readonly externals: ExternalModules;
  /** Newest committed record of each file. */
  readonly latest: ReadonlyMap<string, ModuleRecord>;
  /** Limit for the top level of a module and the loading of its packages, in milliseconds. */
  readonly evaluateTimeout: number;
  /** Whether a path names a file of another language. */
  isTranslated(path: string): boolean;
  /** Throws for files that must not run. */
  approve(file: string): void;
  /** Compiles a file; throws a {@link BuildError}, or an {@link UncompiledFile}. */
  createRecord(file: string, text: string, importDynamic: DynamicImport): ModuleRecord;
  /** Compiles a large file in a thread, so that {@link createRecord} has the result. */
  compileAside(uncompiled: UncompiledFile): Promise<void>;
  /** Makes a record the newest of its file. */
  settle(record: ModuleRecord): void;
}

/** Local files loaded once, by Node. */
const nodeExtensions: ReadonlySet<string> = new Set([".cjs", ".node", ".wasm"]);

/** Builds never overlap: V8 cannot link one module into two graphs at once. */
export class Transaction {
  /** Set for a build of an earlier version; what it does not know comes from the disk. */
  readonly past: Past | undefined;
  readonly #workshop: Workshop;
  readonly #staleness: Staleness;
  readonly #drafts = new Map<string, ModuleRecord>();
  readonly #imports = new Set<Promise<unknown>>();
  #isClosed = false;
  readonly #pending = new Map<ModuleRecord, Promise<unknown>[]>();
  /** Imports by modules in use during this build. */
  readonly foreign: { importer: ModuleRecord; target: ModuleRecord }[] = [];
  /** Everything examined, found or not: the result is the same while it stays so. */
  readonly inputs: Map<string, Input> = new Map();
  /** False while a file has just vanished or become empty: an editor is at work. */
  settled: boolean = true;

  constructor(workshop: Workshop, past?: Past) {
    this.#workshop = workshop;
    this.past = past;
    this.#staleness = new Staleness({
      latest: workshop.latest,
      textOf: (file) => this.#textOf(file),
      resolve: (specifier, importer) => this.#resolve(specifier, importer).file,
    });
  }

  get changed(): readonly string[] {
    return [...this.#staleness.changed];
  }

  isStale(record: ModuleRecord): boolean {
    return this.#staleness.isStale(record);
  }

  /** Records the requested path: a symlink there may change its target. */
  lookThrough(path: string, file: string | undefined): void {
    this.#note(path, file);
  }

  /** Loads a new or stale file and runs it. Throws a {@link BuildError}. */
  async build(file: string): Promise<ModuleRecord> {
    const record = await this.#draft(file);
    await this.#run(record);
    return record;
  }

  /** Whether the build is being committed and accepts no more imports. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Implements `import()` of modules of this build and others. */
  importFrom(
    importer: ModuleRecord,
    specifier: string,
    attributes: ImportAttributes,
  ): Promise<object> {
    const work = this.#import(importer, specifier, attributes);
    this.#imports.add(work);
    const done = (): void => void this.#imports.delete(work);
    work.then(done, done);
    return work;
  }

  /** Waits for each pending `import()`, and accepts no more. */
  async close(): Promise<void> {
    while (this.#imports.size > 0) await Promise.allSettled(this.#imports);
    this.#isClosed = true;
  }

  async #import(
    importer: ModuleRecord,
    specifier: string,
    attributes: ImportAttributes,
  ): Promise<object> {
    const { externals } = this.#workshop;
    const request = { importer: importer.file, attributes, source: importer.text };
    const { file } = this.#resolve(specifier, importer.file);
    if (!file && !isLocal(specifier)) return externals.imported({ ...request, specifier });
    if (file && isNative(file)) {
      return externals.imported({ ...request, specifier: pathToFileURL(file).href });
    }
    try {
      const found = file ?? this.#missing(specifier, importer);
      this.#requireCode(specifier, found, importer);
      this.#approve(specifier, found, importer);
      const target = await this.#draft(found);
      await this.#run(target);
      // Only now: an earlier edge would lead a second import() to an unlinked module.
      importer.edges.set(specifier, { file, target });
      if (!this.#isDraft(importer)) this.foreign.push({ importer, target });
      return target.module;
    } catch (error) {
      this.#keepFailure(importer, specifier, file);
      throw error;
    }
  }

  /**
   * Makes the modules that `root` reaches the newest ones; without a root, only imports of running
   * code. Returns loaded but unreached modules, to be disposed of.
   */
  commit(root: ModuleRecord | undefined, importDynamic: DynamicImport): ModuleRecord[] {
    const targets = this.foreign.map(({ target }) => target);
    const reached = closure(root ? [root, ...targets] : targets);
    const drafts = [...this.#drafts.values()];
    for (const draft of drafts) {
      draft.importDynamic = reached.has(draft) ? importDynamic : refuse;
      if (reached.has(draft)) this.#workshop.settle(draft);
    }
    return drafts.filter((draft) => !reached.has(draft));
  }

  #isDraft(record: ModuleRecord): boolean {
    return this.#drafts.get(record.file) === record;
  }

  /** As {@link #visit}; large files are compiled without holding up the process. */
  async #draft(file: string): Promise<ModuleRecord> {
    for (;;) {
      try {
        return this.#visit(file);
      } catch (error) {
        if (!(error instanceof UncompiledFile)) throw error;
        await this.#workshop.compileAside(error);
      }
    }
  }

  #visit(file: string): ModuleRecord {
    const draft = this.#drafts.get(file);
    if (draft) return draft;
    const known = this.#workshop.latest.get(file);
    if (known && !this.#staleness.isStale(known)) return known;
    const text = this.#read(file);
    const record = this.#workshop.createRecord(file, text, this.importFrom.bind(this));
    // Before its imports, or a cycle would never end.
    this.#drafts.set(file, record);
    try {
      for (const request of record.requests) this.#connect(record, request);
    } catch (error) {
      // The importer may catch this and import again: it must not find half a draft.
      this.#drafts.delete(file);
      throw error;
    }
    return record;
  }

  #keepFailure(importer: ModuleRecord, specifier: string, file: string | undefined): void {
    // A module in use tries again at its next request.
    if (!this.#isDraft(importer)) return;
    const failedText = file === undefined ? undefined : this.#textOf(file);
    importer.edges.set(specifier, { file, target: undefined, failedText });
  }

  #connect(record: ModuleRecord, request: ImportRequest): void {
    const { specifier } = request;
    if (record.edges.has(specifier)) return;
    const found = this.#resolve(specifier, record.file).file;
    if (!found && !isLocal(specifier)) return this.#connectExternal(record, request);
    const file = found ?? this.#missing(specifier, record);
    if (isNative(file)) return this.#connectExternal(record, request, pathToFileURL(file).href);
    this.#approve(specifier, file, record);
    this.#requireCode(specifier, file, record);
    record.edges.set(specifier, { file, target: this.#visit(file) });
  }

  /**
   * Attack: a page includes ../../../etc/private.tsp, or a link to it. Code may import anything,
   * but authors of pages may not be trusted to run any file.
   */
  #approve(specifier: string, file: string, importer: ModuleRecord): void {
    if (!this.#workshop.isTranslated(specifier)) return;
    try {
      this.#workshop.approve(file);
    } catch (cause) {
      const { file: from, text } = importer;
      const place = { file: from, ...locateImport(text, specifier) };
      throw new BuildError((cause as Error).message, place, { source: text });
    }
  }

  /** In the importer: the line there is wrong, not the file. */
  #requireCode(specifier: string, file: string, { file: from, text }: ModuleRecord): void {
    const extension = extname(file);
    const isCode = compiledExtensions.includes(extension) || isJson(file);
    if (isCode || this.#workshop.isTranslated(file)) return;
    const reason = `"${specifier}" is neither TypeScript, JavaScript nor JSON; ${adviceOnData(specifier)}`;
    const place = { file: from, ...locateImport(text, specifier) };
    throw new BuildError(reason, place, { source: text });
  }

  #connectExternal(
    record: ModuleRecord,
    { specifier, attributes }: ImportRequest,
    target = specifier,
  ): void {
    const { file: importer, text: source } = record;
    const loaded = this.#workshop.externals
      .module({ specifier: target, importer, attributes, source })
      .then((module: SyntheticModule) => record.externals.set(specifier, module))
      .catch((error: unknown) => {
        for (const path of packageDirectories(target, importer)) this.#note(path, undefined);
        throw error;
      });
    loaded.catch(() => undefined);
    this.#pending.set(record, [...(this.#pending.get(record) ?? []), loaded]);
  }

  async #run(root: ModuleRecord): Promise<void> {
    const { evaluateTimeout } = this.#workshop;
    const reached = [...closure([root])];
    try {
      const pending = reached.flatMap((record) => this.#pending.get(record) ?? []);
      await withinTime(Promise.all(pending), evaluateTimeout);
      for (const record of reached) record.link();
      await this.#evaluate(root, evaluateTimeout);
    } catch (error) {
      throw await explain(error, root, reached);
    }
  }

  async #evaluate(root: ModuleRecord, timeout: number): Promise<void> {
    const timers = new StartedTimers();
    try {
      await watchTimers(timers, () => root.evaluate(timeout));
    } finally {
      for (const file of timers.files) {
        const record = this.#drafts.get(file);
        if (record) record.timers = timers;
      }
    }
  }

  #read(file: string): string {
    const known = this.past?.files[file]?.text;
    if (known !== undefined) return known;
    const { snapshot } = this.#note(file, file);
    const place = { file, line: 0, column: 0 };
    if (snapshot.error) {
      throw new BuildError(`cannot be read: ${snapshot.error.message}`, place, {
        cause: snapshot.error,
      });
    }
    if (snapshot.text === undefined) throw new BuildError("no such file", place);
    return snapshot.text;
  }

  #textOf(file: string): string | undefined {
    return this.past?.files[file]?.text ?? this.#note(file, file).snapshot.text;
  }

  /** Without a file: missing, or Node's affair. */
  #resolve(specifier: string, importer: string): LocalResolution {
    const edges = this.past?.files[importer]?.edges;
    if (edges && Object.hasOwn(edges, specifier)) {
      return { file: edges[specifier] ?? undefined, tried: [] };
    }
    if (!isLocal(specifier)) {
      return { file: this.#workshop.externals.ownSource(specifier, importer), tried: [] };
    }
    const found = resolveLocal(specifier, importer, (path) => this.#exists(path));
    const last = found.tried.length - 1;
    found.tried.forEach((path, index) => this.#note(path, index === last ? found.file : undefined));
    return found;
  }

  #exists(path: string): boolean {
    if (this.#workshop.disk.signature(path) !== undefined) return true;
    // A file that has just vanished is being replaced.
    const { snapshot, settled } = this.#workshop.disk.look(path);
    if (!settled) this.settled = false;
    return snapshot.text !== undefined;
  }

  #note(path: string, real: string | undefined): Input {
    const known = this.inputs.get(path);
    if (known) return known;
    const { snapshot, settled } = this.#workshop.disk.look(real ?? path);
    if (!settled) this.settled = false;
    const input: Input = { path, real, snapshot };
    this.inputs.set(path, input);
    return input;
  }

  #missing(specifier: string, importer: ModuleRecord): never {
    const { file, text } = importer;
    const place = { file, ...locateImport(text, specifier) };
    const advice = specifier.includes("?") ? `; ${adviceOnData(specifier)}` : "";
    throw new BuildError(`cannot resolve "${specifier}"${advice}`, place, { source: text });
  }
}

/** All modules reached, roots included: importers before imports, except in cycles. */
export function closure(roots: readonly ModuleRecord[]): Set<ModuleRecord> {
  const visited = new Set<ModuleRecord>();
  const finished: ModuleRecord[] = [];
  const visit = (record: ModuleRecord): void => {
    if (visited.has(record)) return;
    visited.add(record);
    // Backwards, because the list is reversed: the first import comes first.
    for (const { target } of [...record.edges.values()].toReversed()) if (target) visit(target);
    finished.push(record);
  };
  for (const root of roots.toReversed()) visit(root);
  return new Set(finished.toReversed());
}

/** Bundlers import any file. */
function adviceOnData(specifier: string): string {
  const path = JSON.stringify(specifier.replace(/\?.*$/, ""));
  return `read it: readFileSync(new URL(${path}, import.meta.url), "utf8")`;
}

function isNative(file: string): boolean {
  return nodeExtensions.has(extname(file));
}

function refuse(record: ModuleRecord): Promise<never> {
  return Promise.reject(new Error(`${record.file} was given up while it was being loaded`));
}
