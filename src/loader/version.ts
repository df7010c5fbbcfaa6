/**
 * One build of an entry, held by the requests that began with it.
 * @module
 */
import type { Input } from "./disk.ts";
import type { Graph } from "./graph.ts";
import type { ModuleRecord, Owner } from "./module-record.ts";

/** Its modules are disposed of when it has been replaced and the last request has left. */
export class Version implements Owner {
  readonly record: ModuleRecord;
  readonly generation: number;
  /** The module namespace. */
  readonly exports: Readonly<Record<string, unknown>>;
  readonly #graph: Graph;
  readonly #addInputs: (version: Version, inputs: Iterable<Input>) => void;
  #holds = 0;
  #isReplaced = false;

  /** `entry` hears of files that running code imports. */
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

  /** Another version serves now. Resolves when the hooks have run, at once while requests hold this one. */
  async replace(): Promise<void> {
    this.#isReplaced = true;
    if (this.#holds === 0) await this.#graph.leave(this, this.record);
  }

  addInputs(inputs: Iterable<Input>): void {
    this.#addInputs(this, inputs);
  }
}
