/**
 * A module that the configuration names: its version that serves, and what became of the newest save.
 * @module
 */
import { performance } from "node:perf_hooks";
import { reloadChannel } from "../channels.ts";
import { isModTsError, ModTsError } from "../errors.ts";
import { log } from "../log.ts";
import { BuildError } from "./build-error.ts";
import { DeadlineError } from "./deadline.ts";
import { realpath, type Input } from "./disk.ts";
import type { Graph } from "./graph.ts";
import type { ModuleRecord } from "./module-record.ts";
import { closure, type Transaction } from "./transaction.ts";
import { Version } from "./version.ts";

/** What listeners hear of an entry. */
export interface Change {
  /** Absolute path of the entry, as it was asked for. */
  entry: string;
  /** Counts the good builds of the entry, from 1; 0 while there was none. */
  generation: number;
  /** Why the newest save does not serve; absent when it does. */
  failure?: Error;
}

/** Milliseconds after which an export that nobody asks for may vanish without making a save a broken one. */
const exportMemory = 10_000;

/** Lives as long as the loader. */
export class Entry {
  readonly file: string;
  readonly #graph: Graph;
  readonly #onChange: (change: Change) => void;
  readonly #asked = new Map<string, number>();
  #inputs = new Map<string, Input>();
  #epoch = -1;
  #checkedTurn = -1;
  #scheduled: Promise<void> | undefined;
  #lost: string | undefined;
  /** The version that serves. */
  current: Version | undefined;
  /** Why the newest save does not serve. */
  failure: ModTsError | undefined;
  generation: number = 0;

  constructor(file: string, graph: Graph, onChange: (change: Change) => void) {
    this.file = file;
    this.#graph = graph;
    this.#onChange = onChange;
  }

  /** Absolute paths of the local modules in use, the entry first. */
  get files(): string[] {
    return this.current ? [...closure([this.current.record])].map(({ file }) => file) : [];
  }

  /** Every path whose change would change the outcome. */
  get watched(): IterableIterator<string> {
    return this.#inputs.keys();
  }

  /** Whether the outcome depends on one of some paths. */
  isWatching(paths: ReadonlySet<string>): boolean {
    for (const path of paths) if (this.#inputs.has(path)) return true;
    return false;
  }

  /**
   * Notes that a caller is going to look up an export. Attack: the name may come from a URL, and each that is made up would stay
   * here for ever; one that is not there cannot be lost either.
   */
  ask(exportName: string): void {
    if (this.current && !has(this.current.exports, exportName)) return;
    if (!this.current) this.#asked.clear();
    this.#asked.set(exportName, performance.now());
  }

  /** Whether nothing changed since the last build, good or bad. The hot path: one stat a file, once a turn of the loop. */
  isFresh(askDisk: boolean): boolean {
    if (this.#epoch !== this.#graph.epoch || this.#mayLoseNow()) return false;
    if (!askDisk) return true;
    return this.#isUnchanged();
  }

  /** Brings the entry up to date with the files as they are at some moment after the call. Never rejects. */
  update(): Promise<void> {
    // A build that has begun may have read a file before the save that this caller wants to see: only one that waits is shared.
    this.#scheduled ??= this.#graph.run((transaction) => {
      this.#scheduled = undefined;
      return this.#update(transaction);
    });
    return this.#scheduled;
  }

  /** Adds files to watch, on behalf of the version that serves. */
  addInputs(version: Version, inputs: Iterable<Input>): void {
    if (version !== this.current) return;
    // What the build saw stays: a newer look at the same file must not hide that the build is older.
    for (const input of inputs)
      if (!this.#inputs.has(input.path)) this.#inputs.set(input.path, input);
    this.#checkedTurn = -1;
  }

  /** Gives the version that serves back, as the loader closes. */
  async close(): Promise<void> {
    const version = this.current;
    this.current = undefined;
    await version?.replace();
  }

  #isUnchanged(): boolean {
    const { disk } = this.#graph;
    const turn = disk.turn();
    if (turn === this.#checkedTurn) return true;
    for (const input of this.#inputs.values()) if (!disk.isFresh(input)) return false;
    this.#checkedTurn = turn;
    return true;
  }

  async #update(transaction: Transaction): Promise<void> {
    // The build before this one in the queue may have been for the same save.
    if (this.#epoch === this.#graph.epoch && !this.#mayLoseNow() && this.#isUnchanged()) return;
    const begin = performance.now();
    const known = this.current?.record;
    // Deleted: look where it was, so that an editor that deletes and creates is waited for.
    const file = realpath(this.file) ?? known?.file ?? this.file;
    transaction.lookThrough(this.file, file);
    if (known?.file === file && !transaction.isStale(known)) return this.#keep(transaction);
    if (known && !transaction.settled) return;
    const changed = this.#changed(transaction, file);
    try {
      this.#graph.approve(file);
      const record = await transaction.build(file);
      this.#refuseLosses(record);
      await this.#accept(transaction, record);
      this.#report({ changed, duration: performance.now() - begin });
    } catch (error) {
      await this.#graph.commit(transaction);
      if (known && !transaction.settled) return;
      this.#reject(transaction, toModTsError(error, this.file, this.#graph.evaluateTimeout));
      this.#report({ changed, duration: performance.now() - begin });
    }
  }

  #changed(transaction: Transaction, file: string): string[] {
    const changed = transaction.changed;
    return changed.length > 0 ? [...changed] : [file];
  }

  /** What changed was taken back, or only touched. */
  #keep(transaction: Transaction): void {
    if (transaction.settled) this.#remember(transaction);
    if (!this.failure || !transaction.settled) return;
    this.failure = undefined;
    this.#lost = undefined;
    this.#onChange({ entry: this.file, generation: this.generation });
  }

  async #accept(transaction: Transaction, record: ModuleRecord): Promise<void> {
    await this.#graph.commit(transaction, record);
    const before = this.current;
    this.generation += 1;
    this.current = new Version(this, record, this.#graph);
    this.#graph.enter(this.current, record);
    this.failure = undefined;
    this.#lost = undefined;
    this.#remember(transaction);
    void before?.replace();
  }

  #reject(transaction: Transaction, failure: ModTsError): void {
    this.failure = failure;
    this.#remember(transaction);
  }

  #remember(transaction: Transaction): void {
    this.#inputs = new Map(transaction.inputs);
    this.#epoch = transaction.epoch;
    this.#graph.disk.endTurn();
  }

  /** Half a file is often a valid module, only without the export at its end. */
  #refuseLosses(record: ModuleRecord): void {
    const before = this.current?.exports;
    if (!before) return;
    this.#lost = undefined;
    for (const [name, time] of this.#asked) {
      if (performance.now() - time > exportMemory) this.#asked.delete(name);
      else if (has(before, name) && !has(record.module.namespace, name)) this.#lost = name;
    }
    if (this.#lost === undefined) return;
    const lost = this.#lost.split("|").find((name) => name in before);
    const reason = `it has lost its export "${lost}", which is in use`;
    throw new BuildError(
      reason,
      { file: record.file, line: 0, column: 0 },
      { source: record.text },
    );
  }

  /** An export that was removed on purpose is not asked for any more: after a while the save counts. */
  #mayLoseNow(): boolean {
    if (this.#lost === undefined) return false;
    return performance.now() - (this.#asked.get(this.#lost) ?? 0) > exportMemory;
  }

  #report(details: { changed: readonly string[]; duration: number }): void {
    const { file: entry, generation, failure } = this;
    const isFirst = generation === 1 && !failure;
    if (!isFirst) {
      reloadChannel.publish({ entry, generation, ...details, ...(failure && { error: failure }) });
      this.#log(details);
    }
    this.#onChange({ entry, generation, ...(failure && { failure }) });
  }

  #log({ changed, duration }: { changed: readonly string[]; duration: number }): void {
    const { failure } = this;
    if (failure) {
      const { code, message } = failure;
      const still = this.current ? `; generation ${this.generation} goes on serving` : "";
      return log("error", message + still, { code, error: failure.cause });
    }
    const time = duration.toFixed(1);
    log(
      "notice",
      `${this.file} reloaded, generation ${this.generation}, ${time} ms, changed: ${changed.join(", ")}`,
    );
  }
}

/** Whether a module has an export, or one of those with `|` between them. */
function has(exports: object, names: string): boolean {
  return names in exports || names.split("|").some((name) => name in exports);
}

function toModTsError(error: unknown, file: string, limit: number): ModTsError {
  if (isModTsError(error)) return error;
  const isLate = error instanceof BuildError && error.cause instanceof DeadlineError;
  const reason = error instanceof Error ? error.message : String(error);
  return isLate
    ? new ModTsError("MODTS_BUILD_TIMEOUT", { file, limit }, { cause: error })
    : new ModTsError("MODTS_BUILD_FAILED", { file, reason }, { cause: error });
}
