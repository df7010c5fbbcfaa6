/** Module named in the configuration: its current version, and the result of the newest save. */
import { performance } from "node:perf_hooks";
import { reloadChannel } from "../base/channels.ts";
import { ModTsError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import { BuildError, toModTsError } from "./build-error.ts";
import { type Input, isGone, realpath } from "./disk.ts";
import type { Graph } from "./graph.ts";
import type { ModuleRecord, Owner } from "./module-record.ts";
import type { Past, Transaction } from "./transaction.ts";

/** Exports not used for this time may be removed; before that, a save without them has failed. */
const exportMemoryMs = 10_000;

/** The last request for an export. */
interface Use {
  readonly version: Version | undefined;
  time: number;
}

export class Entry {
  readonly file: string;
  readonly #graph: Graph;
  readonly #used = new Map<string, Use>();
  #inputs = new Map<string, Input>();
  #isBuilt = false;
  #checkedTurn = -1;
  #scheduled: Promise<void> | undefined;
  #lost: string | undefined;
  #isRequested = false;
  /** Whether guards of this module are requested: no save may lose one. */
  #isGuard = false;
  /** Whether sections are open without them. */
  #isOptionalGuard = false;
  /** Of the current version, among the last good builds of all workers. */
  #id: string | undefined;
  /** Number of the last good build that was considered after a failure. */
  #considered = 0;
  /** Current version. */
  current: Version | undefined;
  /** Why the newest save does not serve. */
  failure: ModTsError | undefined;
  generation: number = 0;

  constructor(file: string, graph: Graph) {
    this.file = file;
    this.#graph = graph;
  }

  /** Paths whose change would change the result. */
  get watched(): IterableIterator<string> {
    return this.#inputs.keys();
  }

  isWatching(paths: ReadonlySet<string>): boolean {
    for (const path of paths) if (this.#inputs.has(path)) return true;
    return false;
  }

  /** Records the use of an export. Attack: made-up names from URLs are kept forever. */
  recordUse(exportName: string): void {
    const { current } = this;
    const known = this.#used.get(exportName);
    const now = performance.now();
    // Nearly always: looking names up in a namespace is slow.
    if (known && known.version === current && current) known.time = now;
    else this.#recordFirst(exportName, { version: current, time: now });
  }

  #recordFirst(exportName: string, use: Use): void {
    this.#isRequested = true;
    if (!this.#isGuard || !this.#isOptionalGuard) this.#recordGuard(exportName);
    if (this.current && !has(this.current.exports, exportName)) return;
    if (!this.current) this.#used.clear();
    this.#used.set(exportName, use);
  }

  /** Whether nothing has changed since the last build. Hot path: one stat per file and turn. */
  isFresh(askDisk: boolean): boolean {
    if (!this.#isBuilt || this.#mayLoseNow()) return false;
    return !askDisk || this.#isUnchanged();
  }

  /** Whether another worker has recorded a good build since a save failed here. */
  get #isBehind(): boolean {
    if (!this.failure) return false;
    return (this.#graph.pasts?.number(this.file) ?? 0) !== this.#considered;
  }

  /** Updates the entry to the files as they are after the call. Never rejects. */
  update(): Promise<void> {
    // A running build may have read a file before the save: only a queued one is shared.
    this.#scheduled ??= this.#graph.run((transaction) => {
      this.#scheduled = undefined;
      return this.#update(transaction);
    });
    return this.#scheduled;
  }

  /** Adds files to watch for the current version. */
  addInputs(version: Version, inputs: Iterable<Input>): void {
    if (version !== this.current) return;
    // A newer state must not hide that the build is older.
    for (const input of inputs)
      if (!this.#inputs.has(input.path)) this.#inputs.set(input.path, input);
    this.#checkedTurn = -1;
    if (this.#id) this.#graph.pasts?.extend(this.file, this.#id, version.record);
  }

  /** Releases the current version when the loader closes. */
  async close(): Promise<void> {
    const version = this.current;
    this.current = undefined;
    await version?.replace();
  }

  #recordGuard(exportName: string): void {
    if (!this.#graph.guards.some((name) => exportName.includes(name))) return;
    this.#isGuard = true;
    this.#isOptionalGuard ||= exportName.includes("|");
    this.#markGuards();
  }

  /** For other pools, and for the time after a restart. */
  #markGuards(): void {
    const { guards, guardMarks } = this.#graph;
    if (!this.#isOptionalGuard || !this.current) return;
    for (const name of guards) {
      if (has(this.current.exports, name)) guardMarks?.add(this.file, name);
    }
  }

  #isUnchanged(): boolean {
    const { disk } = this.#graph;
    const turn = disk.turn();
    if (turn === this.#checkedTurn) return true;
    if (!this.#areInputsFresh() || this.#isBehind) return false;
    this.#checkedTurn = turn;
    return true;
  }

  #areInputsFresh(): boolean {
    for (const input of this.#inputs.values()) if (!this.#graph.disk.isFresh(input)) return false;
    return true;
  }

  async #update(transaction: Transaction): Promise<void> {
    // The previous build in the queue may have been for the same save.
    if (this.isFresh(true)) return;
    const isSameFailure = this.#isBuilt && this.failure && this.#areInputsFresh();
    if (isSameFailure && !this.#mayLoseNow()) return this.#fallBack();
    const since = this.#graph.pasts?.number(this.file) ?? 0;
    const begin = performance.now();
    const known = this.current?.record;
    // Deleted: use its old path, so that an editor that deletes and creates is waited for.
    const file = realpath(this.file) ?? known?.file ?? this.file;
    transaction.lookThrough(this.file, file);
    if (known?.file === file && !transaction.isStale(known)) return this.#keep(transaction, since);
    if (known && !transaction.settled) return this.#fallBack();
    const changed = transaction.changed.length > 0 ? transaction.changed : [file];
    try {
      if ((known || since > 0) && isGone(this.file)) throw this.#bury(since);
      this.#graph.approve(file);
      const record = await transaction.build(file);
      this.#refuseLosses(record);
      await this.#accept(transaction, record, since);
      this.#report({ changed, duration: performance.now() - begin });
    } catch (error) {
      await this.#graph.commit(transaction);
      if (known && !transaction.settled) return this.#fallBack();
      this.failure = toModTsError(error, this.file, this.#graph.evaluateTimeout);
      this.#remember(transaction);
      await this.#fallBack();
      this.#report({ changed, duration: performance.now() - begin });
    }
  }

  /** Changes that were undone, or only touched. */
  async #keep(transaction: Transaction, since: number): Promise<void> {
    if (!transaction.settled) return this.#fallBack();
    this.#remember(transaction);
    this.failure = undefined;
    this.#lost = undefined;
    if (this.current) this.#record(transaction, this.current.record, since);
  }

  async #accept(transaction: Transaction, record: ModuleRecord, since: number): Promise<void> {
    await this.#graph.commit(transaction, record);
    this.#replaceBy(record);
    this.failure = undefined;
    this.#lost = undefined;
    this.#remember(transaction);
    this.#record(transaction, record, since);
  }

  #replaceBy(record: ModuleRecord): void {
    const before = this.current;
    this.generation += 1;
    this.current = new Version(this, record, this.#graph);
    this.#graph.enter(this.current, record);
    this.#markGuards();
    void before?.replace();
  }

  /** For the other workers, and those that start later. */
  #record({ inputs }: Transaction, record: ModuleRecord, since: number): void {
    const { disk, pasts } = this.#graph;
    const isCurrent = (): boolean => {
      disk.endTurn();
      return [...inputs.values()].every((input) => disk.isFresh(input));
    };
    this.#id = pasts?.record(this.file, record, since, isCurrent);
  }

  /**
   * After a failure: the last good build of all workers, which may be newer than the one here.
   * Attack: a guard that was made stricter, then saved with a mistake, must not be the old one in
   * the workers that nobody asked in between.
   */
  async #fallBack(): Promise<void> {
    const { pasts } = this.#graph;
    if (!pasts) return;
    this.#considered = pasts.number(this.file);
    const past = pasts.read(this.file);
    if (past === "deleted") return this.#drop();
    if (!past || past.id === this.#id) return;
    await this.#graph.runWithin(past, (transaction) => this.#rebuild(past, transaction));
  }

  async #rebuild(past: Past, transaction: Transaction): Promise<void> {
    try {
      this.#graph.approve(past.root);
      const record = await transaction.build(past.root);
      const lost = this.#findLoss(record);
      if (lost !== undefined) throw new Error(`the export "${lost}", which is in use, is missing`);
      await this.#graph.commit(transaction, record);
      this.#replaceBy(record);
      this.#id = past.id;
    } catch (error) {
      await this.#graph.commit(transaction);
      log("warn", `the last good version of ${this.file} cannot be loaded`, { error });
    }
  }

  /** A deleted handler is gone in all workers, whoever still imports it. */
  #bury(since: number): ModTsError {
    this.#graph.pasts?.bury(this.file, since, () => isGone(this.file));
    this.#drop();
    return new ModTsError("MODTS_HANDLER_DELETED", { file: this.file });
  }

  #drop(): void {
    const before = this.current;
    this.current = undefined;
    this.#id = undefined;
    this.failure ??= new ModTsError("MODTS_HANDLER_DELETED", { file: this.file });
    void before?.replace();
  }

  #remember(transaction: Transaction): void {
    this.#inputs = new Map(transaction.inputs);
    this.#isBuilt = true;
    this.#graph.disk.endTurn();
  }

  /** Half a file is often a valid module without the export at its end. */
  #refuseLosses(record: ModuleRecord): void {
    const lost = this.#findLoss(record);
    this.#lost = lost;
    if (lost === undefined) return;
    const name = lost.split("|").find((each) => this.#had(each)) ?? lost;
    const { file, text: source } = record;
    throw new BuildError(
      `lost its export "${name}", ${this.#explainLoss(lost)}`,
      { file, line: 0, column: 0 },
      { source },
    );
  }

  #explainLoss(name: string): string {
    const { guards, guardMarks } = this.#graph;
    if (!guards.includes(name)) return "which is in use";
    const mark = guardMarks?.has(this.file, name)
      ? `remove ${guardMarks.path(this.file, name)} and restart mod_ts`
      : "restart mod_ts";
    return `without which everybody may pass; export one that returns OK, or ${mark}`;
  }

  #findLoss(record: ModuleRecord): string | undefined {
    return this.#findLostGuard(record) ?? this.#findLostUse(record);
  }

  #findLostGuard({ module }: ModuleRecord): string | undefined {
    return this.#graph.guards.find((name) => !has(module.namespace, name) && this.#isLost(name));
  }

  /** Whether this guard is unused, as far as this worker has seen: a worker that preloads was not asked yet. */
  #isUnused(guard: string): boolean {
    if (this.#graph.guardMarks?.has(this.file, guard)) return false;
    return this.#isRequested && !this.#isGuard;
  }

  #isLost(guard: string): boolean {
    if (this.#isUnused(guard)) return false;
    return this.#had(guard) || (this.#graph.guardMarks?.has(this.file, guard) ?? false);
  }

  #findLostUse({ module }: ModuleRecord): string | undefined {
    let lost: string | undefined;
    for (const [name, { time }] of this.#used) {
      if (performance.now() - time > exportMemoryMs) this.#used.delete(name);
      else if (!has(module.namespace, name) && this.#had(name)) lost = name;
    }
    return lost;
  }

  /** Whether the version before had an export; in a new worker, the last good one of the others. */
  #had(names: string): boolean {
    if (this.current) return has(this.current.exports, names);
    const past = this.#graph.pasts?.read(this.file);
    if (past === undefined || past === "deleted") return false;
    return has(Object.fromEntries(past.exports.map((name) => [name, true])), names);
  }

  /** An export removed on purpose is not used any more: after a while the save counts. */
  #mayLoseNow(): boolean {
    if (this.#lost === undefined) return false;
    if (this.#graph.guards.includes(this.#lost)) return this.#isUnused(this.#lost);
    return performance.now() - (this.#used.get(this.#lost)?.time ?? 0) > exportMemoryMs;
  }

  #report(details: { changed: readonly string[]; duration: number }): void {
    const { file: entry, generation, failure } = this;
    if (generation === 1 && !failure) return;
    reloadChannel.publish({ entry, generation, ...details, ...(failure && { error: failure }) });
    this.#log(details);
  }

  #log({ changed, duration }: { changed: readonly string[]; duration: number }): void {
    const { failure, file, generation } = this;
    if (failure) {
      const { code, message } = failure;
      const still = this.current ? `; version ${generation} keeps serving` : "";
      return log("error", message + still, { code, error: failure.cause });
    }
    const details = `version ${generation}, ${duration.toFixed(1)} ms, changed: ${changed.join(", ")}`;
    log("notice", `${file} reloaded, ${details}`);
  }
}

/** Whether a module has an export, or one of several names with `|` between them. */
function has(exports: object, names: string): boolean {
  return names in exports || names.split("|").some((name) => name in exports);
}

/** One build of an entry; disposed of when it was replaced and its last request has ended. */
export class Version implements Owner {
  readonly record: ModuleRecord;
  readonly generation: number;
  /** The module namespace. */
  readonly exports: Readonly<Record<string, unknown>>;
  readonly #graph: Graph;
  readonly #addInputs: (version: Version, inputs: Iterable<Input>) => void;
  #holds = 0;
  #isReplaced = false;

  /** `entry` learns of files imported by running code. */
  constructor(
    entry: { generation: number; addInputs(version: Version, inputs: Iterable<Input>): void },
    record: ModuleRecord,
    graph: Graph,
  ) {
    this.record = record;
    this.generation = entry.generation;
    this.exports = record.module.namespace as Readonly<Record<string, unknown>>;
    this.#graph = graph;
    this.#addInputs = (version, inputs) => entry.addInputs(version, inputs);
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#isReplaced && this.#holds === 0) void this.#graph.leave(this, this.record);
  }

  /** Resolves when the hooks have run; at once while requests hold this version. */
  async replace(): Promise<void> {
    this.#isReplaced = true;
    if (this.#holds === 0) await this.#graph.leave(this, this.record);
  }

  addInputs(inputs: Iterable<Input>): void {
    this.#addInputs(this, inputs);
  }
}
