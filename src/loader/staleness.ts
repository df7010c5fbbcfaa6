/** Stale modules: their file or the target of an import has changed, or one they reach is stale. */
import type { ModuleRecord } from "./module-record.ts";

export interface Evidence {
  /** Newest record of each file. */
  latest: ReadonlyMap<string, ModuleRecord>;
  /** Current text of a file. */
  textOf(file: string): string | undefined;
  /** Current target of an import. */
  resolve(specifier: string, importer: string): string | undefined;
}

/** Checks each record once. For one build: the next one checks the files again. */
export class Staleness {
  readonly #evidence: Evidence;
  readonly #verdicts = new Map<ModuleRecord, boolean>();
  readonly changed: Set<string> = new Set();

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
  }

  isStale(record: ModuleRecord): boolean {
    if (!this.#verdicts.has(record)) this.#judge(record);
    return this.#verdicts.get(record) as boolean;
  }

  /** Everything reachable is checked at once: modules in a cycle depend on each other. */
  #judge(root: ModuleRecord): void {
    const importers = new Map<ModuleRecord, ModuleRecord[]>();
    const dirty: ModuleRecord[] = [];
    const open = [root];
    for (let record = open.pop(); record; record = open.pop()) {
      if (this.#verdicts.has(record)) continue;
      const isChanged = this.#isChanged(record);
      this.#verdicts.set(record, isChanged);
      if (isChanged) dirty.push(record);
      for (const { target } of record.edges.values()) {
        if (!target) continue;
        importers.set(target, [...(importers.get(target) ?? []), record]);
        if (this.#verdicts.get(target) === true) dirty.push(target);
        open.push(target);
      }
    }
    this.#spread(dirty, importers);
  }

  #spread(
    dirty: ModuleRecord[],
    importers: ReadonlyMap<ModuleRecord, readonly ModuleRecord[]>,
  ): void {
    for (let record = dirty.pop(); record; record = dirty.pop()) {
      for (const importer of importers.get(record) ?? []) {
        if (this.#verdicts.get(importer)) continue;
        this.#verdicts.set(importer, true);
        dirty.push(importer);
      }
    }
  }

  #isChanged(record: ModuleRecord): boolean {
    const { latest, textOf } = this.#evidence;
    if (latest.get(record.file) !== record) return this.#note(record.file);
    if (textOf(record.file) !== record.text) return this.#note(record.file);
    return [...record.edges].some(([specifier, edge]) => {
      const file = this.#evidence.resolve(specifier, record.file);
      if (file !== edge.file) return this.#note(file ?? edge.file ?? specifier);
      const isRepaired = file && !edge.target && textOf(file) !== edge.failedText;
      return isRepaired ? this.#note(file) : false;
    });
  }

  #note(file: string): true {
    this.changed.add(file);
    return true;
  }
}
