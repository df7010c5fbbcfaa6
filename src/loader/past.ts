/**
 * Last good builds of entries, in the {@link VersionStore} that all workers share: a broken save
 * leads every worker, also a new one, to the same version.
 *
 * A build is kept with everything that decides what it does: texts, compiled code, and where each
 * import led. Packages are Node's, and not kept.
 */
import { createHash } from "node:crypto";
import { attempt } from "../base/attempt.ts";
import type { VersionName, VersionStore } from "../base/version-store.ts";
import type { ModuleRecord } from "./module-record.ts";
import { closure, type Past, type PastFile } from "./transaction.ts";

type Content = Omit<Past, "id" | "isCompiled"> & { readonly fingerprint: string };

export class Pasts {
  readonly #store: VersionStore;
  readonly #fingerprint: () => string;
  #ownFingerprint: string | undefined;

  /** `fingerprint` returns what compiled code depends on besides the text: versions. */
  constructor(store: VersionStore, fingerprint: () => string) {
    this.#store = store;
    this.#fingerprint = fingerprint;
  }

  /** Grows with each build of an entry that is recorded, and when it is deleted. */
  number(entry: string): number {
    return this.#store.number(nameOf(entry));
  }

  /** Undefined when there is none; `"deleted"` when the file was deleted afterwards. */
  read(entry: string): Past | "deleted" | undefined {
    const version = this.#store.read(nameOf(entry));
    if (!version) return undefined;
    const { id } = version.head;
    if (id === "") return "deleted";
    const content = JSON.parse(version.content) as Content;
    return { ...content, id, isCompiled: content.fingerprint === this.#own };
  }

  /** Records a build, and returns its id. For `since` and `isCurrent` see {@link VersionStore.record}. */
  record(entry: string, root: ModuleRecord, since: number, isCurrent: () => boolean): string {
    const id = identify(root);
    this.#store.record(nameOf(entry), id, () => this.#describe(root, {}), since, isCurrent);
    return id;
  }

  /** Adds what a build has imported since it was recorded. */
  extend(entry: string, id: string, root: ModuleRecord): void {
    this.#store.extend(nameOf(entry), id, (before) => {
      const { files } = JSON.parse(before) as Content;
      return this.#describe(root, files);
    });
  }

  /** Ends the versions of a deleted file. */
  bury(entry: string, since: number, isGone: () => boolean): void {
    this.#store.bury(nameOf(entry), since, isGone);
  }

  isDeleted(entry: string): boolean {
    return this.#store.head(nameOf(entry))?.id === "";
  }

  /** Entries that workers of this pool use. */
  list(): string[] {
    return this.#store.list("module");
  }

  get #own(): string {
    return (this.#ownFingerprint ??= attempt(this.#fingerprint, ""));
  }

  #describe(root: ModuleRecord, before: Content["files"]): string {
    const files: Record<string, PastFile> = { ...before };
    for (const { file, text, compiled, edges } of closure([root])) {
      const known = before[file]?.edges;
      files[file] = { text, compiled, edges: { ...known, ...targetsOf(edges) } };
    }
    const exports = Object.keys(root.module.namespace);
    const content: Content = { fingerprint: this.#own, root: root.file, exports, files };
    return JSON.stringify(content);
  }
}

function nameOf(file: string): VersionName {
  return { kind: "module", file };
}

/** Equal for builds of the same texts, whatever their workers import later. */
function identify(root: ModuleRecord): string {
  const hash = createHash("sha256");
  for (const { file, text, edges } of closure([root])) {
    hash.update(JSON.stringify([file, text, targetsOf(edges)]));
  }
  return hash.digest("hex");
}

function targetsOf(edges: ModuleRecord["edges"]): PastFile["edges"] {
  return Object.fromEntries([...edges].map(([specifier, { file }]) => [specifier, file ?? null]));
}
