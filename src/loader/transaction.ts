/**
 * One build: brings a module and all that it reaches up to date, then is committed or thrown away as a whole.
 * Nothing of it is visible to others before the commit.
 * @module
 */
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import type { SyntheticModule } from "node:vm";
import { BuildError, locateImport } from "./build-error.ts";
import { withDeadline } from "./deadline.ts";
import type { Disk, Input } from "./disk.ts";
import { packageFolders, type ExternalModules } from "./external.ts";
import type { DynamicImport, ImportRequest, ModuleRecord } from "./module-record.ts";
import { isLocal, resolveLocal, type LocalResolution } from "./resolve.ts";
import { explain } from "./explain.ts";
import { Staleness } from "./staleness.ts";

/** What all builds of a loader share. */
export interface Workshop {
  readonly disk: Disk;
  readonly externals: ExternalModules;
  /** The newest committed record of each file. */
  readonly latest: ReadonlyMap<string, ModuleRecord>;
  /** Number of times that everything was declared stale. */
  readonly epoch: number;
  /** Milliseconds that the top level of a module, and the loading of its packages, may take. */
  readonly evaluateTimeout: number;
  /** Whether a path names a file of another language. */
  isTranslated(path: string): boolean;
  /** Throws for a file that must not be run. */
  approve(file: string): void;
  /** Compiles a file; throws a {@link BuildError}. */
  createRecord(file: string, text: string, importDynamic: DynamicImport): ModuleRecord;
  /** Makes a record the newest of its file. */
  settle(record: ModuleRecord): void;
}

/** Local files of these kinds are Node's: it loads them once. */
const nodeExtensions: ReadonlySet<string> = new Set([".cjs", ".node", ".wasm"]);

/** A build under way. Builds never overlap: V8 cannot link one module into two graphs at once. */
export class Transaction {
  readonly #workshop: Workshop;
  readonly #staleness: Staleness;
  readonly #drafts = new Map<string, ModuleRecord>();
  readonly #imports = new Set<Promise<unknown>>();
  #isClosed = false;
  readonly #pending = new Map<ModuleRecord, Promise<unknown>[]>();
  /** What modules that are in use imported while this build was under way. */
  readonly foreign: { importer: ModuleRecord; target: ModuleRecord }[] = [];
  /** Everything that was looked at, found or not: as long as it stays so, the outcome would be the same. */
  readonly inputs: Map<string, Input> = new Map();
  /** Number of times that everything had been declared stale when the build began. */
  readonly epoch: number;
  /** False while a file has just vanished or is just empty: an editor is at work, ask again. */
  settled: boolean = true;

  constructor(workshop: Workshop) {
    this.#workshop = workshop;
    this.epoch = workshop.epoch;
    this.#staleness = new Staleness({
      latest: workshop.latest,
      epoch: workshop.epoch,
      textOf: (file) => this.#textOf(file),
      resolve: (specifier, importer) => this.#resolve(specifier, importer).file,
    });
  }

  /** Paths found changed. */
  get changed(): readonly string[] {
    return [...this.#staleness.changed];
  }

  /** Whether a module, or something it reaches, is not what the files say. */
  isStale(record: ModuleRecord): boolean {
    return this.#staleness.isStale(record);
  }

  /** Notes the path under which a file is asked for: a symlink there may lead elsewhere next time. */
  lookThrough(path: string, file: string | undefined): void {
    this.#note(path, file);
  }

  /** Loads a file that is new or stale, evaluated. Throws a {@link BuildError}. */
  async build(file: string): Promise<ModuleRecord> {
    const record = this.#visit(file);
    await this.#run(record);
    return record;
  }

  /** Whether the build takes no more imports: it is being committed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Answers `import()` of a module, be it part of this build or not. */
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

  /** Waits for each `import()` that has begun, be it awaited by the module or not, and takes no more. */
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
    if (!isLocal(specifier)) return externals.imported({ ...request, specifier });
    const { file } = this.#resolve(specifier, importer.file);
    if (file && isNative(file)) {
      return externals.imported({ ...request, specifier: pathToFileURL(file).href });
    }
    try {
      const found = file ?? this.#missing(specifier, importer);
      this.#approve(specifier, found, importer);
      const target = this.#visit(found);
      await this.#run(target);
      // Not before: a second import() of the same would find a module that is not linked yet.
      importer.edges.set(specifier, { file, target });
      if (!this.#isDraft(importer)) this.foreign.push({ importer, target });
      return target.module;
    } catch (error) {
      this.#keepFailure(importer, specifier, file);
      throw error;
    }
  }

  /**
   * Makes the modules that `root` reaches the newest ones; without a root, only what running code imported meanwhile.
   * Returns what was loaded but is not reached, to be disposed of.
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
      // The module that asked may catch this and ask again: half a draft must not be found then.
      this.#drafts.delete(file);
      throw error;
    }
    return record;
  }

  #keepFailure(importer: ModuleRecord, specifier: string, file: string | undefined): void {
    // A module that is in use simply tries again at its next request.
    if (!this.#isDraft(importer)) return;
    const failedText = file === undefined ? undefined : this.#textOf(file);
    importer.edges.set(specifier, { file, target: undefined, failedText });
  }

  #connect(record: ModuleRecord, request: ImportRequest): void {
    const { specifier } = request;
    if (record.edges.has(specifier)) return;
    if (!isLocal(specifier)) return this.#connectExternal(record, request);
    const file = this.#resolve(specifier, record.file).file ?? this.#missing(specifier, record);
    if (isNative(file)) {
      return this.#connectExternal(record, request, pathToFileURL(file).href);
    }
    this.#approve(specifier, file, record);
    record.edges.set(specifier, { file, target: this.#visit(file) });
  }

  /**
   * Attack: a page includes ../../../etc/private.tsp, or a link of an innocent name that leads there. Code may import what it likes,
   * but an include looks harmless, and who writes pages need not be who may run any file.
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
        for (const path of packageFolders(target, importer)) this.#note(path, undefined);
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
      await withDeadline(Promise.all(pending), evaluateTimeout);
      for (const record of reached) record.link();
      await root.evaluate(evaluateTimeout);
    } catch (error) {
      throw await explain(error, root, reached);
    }
  }

  #read(file: string): string {
    const { snapshot } = this.#note(file, file);
    const place = { file, line: 0, column: 0 };
    if (snapshot.error) {
      throw new BuildError(`it cannot be read: ${snapshot.error.message}`, place, {
        cause: snapshot.error,
      });
    }
    if (snapshot.text === undefined) throw new BuildError("there is no such file", place);
    return snapshot.text;
  }

  #textOf(file: string): string | undefined {
    return this.#note(file, file).snapshot.text;
  }

  #resolve(specifier: string, importer: string): LocalResolution {
    const found = resolveLocal(specifier, importer, (path) => this.#exists(path));
    const last = found.tried.length - 1;
    found.tried.forEach((path, index) => this.#note(path, index === last ? found.file : undefined));
    return found;
  }

  #exists(path: string): boolean {
    if (this.#workshop.disk.signature(path) !== undefined) return true;
    // A file that vanished a moment ago is being replaced.
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
    throw new BuildError(`"${specifier}" leads to no file`, place, { source: text });
  }
}

/** Every module that some modules reach, themselves included: importers before what they import, cycles apart. */
export function closure(roots: readonly ModuleRecord[]): Set<ModuleRecord> {
  const visited = new Set<ModuleRecord>();
  const finished: ModuleRecord[] = [];
  const visit = (record: ModuleRecord): void => {
    if (visited.has(record)) return;
    visited.add(record);
    // Backwards, because the list is turned round in the end: of two imports the first comes first.
    for (const { target } of [...record.edges.values()].toReversed()) if (target) visit(target);
    finished.push(record);
  };
  for (const root of roots.toReversed()) visit(root);
  return new Set(finished.toReversed());
}

function isNative(file: string): boolean {
  return nodeExtensions.has(extname(file));
}

function refuse(record: ModuleRecord): Promise<never> {
  return Promise.reject(new Error(`${record.file} was given up while it was being loaded`));
}
