/**
 * User modules: TypeScript files, loaded at the request and reloaded when they change.
 *
 * The hook `dispose(state)` of a module is called once, when another version has taken over and the
 * last request that began with this one has ended; `state` is its `import.meta.state`.
 *
 * Modules shared by two handlers are one instance, except while one of the two has not been
 * requested since the save: singletons belong in a file that is rarely edited, or in `state`.
 * Packages, `.cjs` files and addons are Node's: they change with a new process (`node-files.ts`).
 */
import { resolve } from "node:path";
import vm from "node:vm";
import { getOrCreate } from "../base/cache.ts";
import { ModTsError } from "../base/errors.ts";
import type { BrokenModule } from "../base/version-store.ts";
import type { LanguageModule } from "./aside.ts";
import type { CompileCache } from "./compile-cache.ts";
import type { Languages } from "./compile.ts";
import { Entry, type Version } from "./entry.ts";
import { Graph } from "./graph.ts";
import type { GuardMarks } from "./guard-marks.ts";
import { digestOf } from "./module-record.ts";
import type { Pasts } from "./past.ts";
import { installStackTraces } from "./stack.ts";
import { threadModules } from "./threads.ts";
import { Watch } from "./watch.ts";

export interface LoaderOptions {
  /**
   * `"request"` checks the file system before each load; `"manual"` never does: new code comes with
   * a new process. Saves of this very process are seen from the next turn of the event loop on.
   * @default "request"
   */
  freshness?: "request" | "manual";
  /**
   * Rebuilds stale modules before the next request; without, only later. `{ poll }` (milliseconds)
   * is for file systems without events. Ignored when freshness is manual.
   * @default true
   */
  watch?: boolean | { poll: number };
  /**
   * Limit in milliseconds for the top level of a module and its packages; other builds wait as
   * long.
   * @default 10_000
   */
  evaluateTimeout?: number;
  /** Milliseconds for a `dispose` hook; then it is logged and left. @default 5_000 */
  disposeTimeout?: number;
  /** Modules provided by the host, by specifier, whatever is installed. @default {} */
  builtins?: Readonly<Record<string, object>>;
  /** Further languages by extension, e.g. `.tsp`. @default {} */
  languages?: Languages;
  /**
   * Where threads find {@link languages}, by extension: large files are compiled in a thread.
   * @default {}: of other languages none are
   */
  languageModules?: Readonly<Record<string, LanguageModule>>;
  /** Whether changed packages come with a new process by themselves, or with a reload. @default false */
  renewsPackages?: boolean;
  /** Cache of compiled files of {@link languages}. @default none */
  cache?: CompileCache | undefined;
  /** Last good builds of all workers. @default none: this process has its own in memory */
  pasts?: Pasts | undefined;
  /** Exports that a save must not lose where they are requested: without them, all may pass. @default none */
  guards?: readonly string[];
  /** Record of these for other pools and after a restart. @default none */
  guardMarks?: GuardMarks | undefined;
  /**
   * Called with the path without symlinks before an entry, or any file of {@link languages}, runs;
   * throws for a file that must not.
   * @default every file may
   */
  approve?: (file: string) => void;
}

/** A module for the test page. */
export interface ModuleInfo {
  /** Absolute path without symlinks. */
  file: string;
  /** Counts the good versions of this file in this process, from 1. */
  generation: number;
  /** Milliseconds since the epoch of Unix. */
  loadedAt: number;
  /** Why the newest save does not serve, for a file that is an entry. */
  failure?: Error;
}

/** Makes a loader. Needs a process that was started with `--experimental-vm-modules`. */
export function createLoader(options: LoaderOptions = {}): Loader {
  if (typeof vm.SourceTextModule !== "function") throw new ModTsError("MODTS_NODE_FLAG_MISSING");
  installStackTraces();
  return new Loader(options);
}

export class Loader {
  readonly #graph: Graph;
  readonly #asksDisk: boolean;
  readonly #entries = new Map<string, Entry>();
  readonly #watch: Watch | undefined;

  constructor(options: LoaderOptions) {
    const { freshness = "request", watch = true } = options;
    const { evaluateTimeout = 10_000, disposeTimeout = 5_000, builtins = {} } = options;
    const { approve = () => undefined, languages = {}, languageModules = {}, cache } = options;
    const { renewsPackages = false } = options;
    const limits = { evaluateTimeout, disposeTimeout };
    const compilation = { languages, languageModules, cache };
    const { pasts, guards = [], guardMarks } = options;
    const provided = { ...threadModules, ...builtins };
    const shared = { builtins: provided, renewsPackages, approve, pasts, guards, guardMarks };
    this.#graph = new Graph({ ...limits, ...compilation, ...shared });
    this.#asksDisk = freshness === "request";
    if (this.#asksDisk && watch !== false) {
      const interval = watch === true ? undefined : watch.poll;
      this.#watch = new Watch((paths) => this.#warm(paths), interval);
    }
  }

  /**
   * The newest version of a module, held until `release`; synchronous when nothing changed.
   *
   * Throws or rejects with `MODTS_BUILD_FAILED` or `MODTS_BUILD_TIMEOUT` without a good version;
   * the cause is a `BuildError` with file, line and column. An older good version serves with
   * `failure`: the last one of all workers. Of a deleted file there is none:
   * `MODTS_HANDLER_DELETED`.
   *
   * A save that loses `exportName`, which the version before had, is a failed build. Of names with
   * `|` between them any will do, but none of {@link LoaderOptions.guards} may be lost.
   */
  load(file: string, exportName?: string): LoadedModule | Promise<LoadedModule> {
    const entry = this.#entries.get(file) ?? this.#entry(resolve(file));
    if (exportName !== undefined) entry.recordUse(exportName);
    return entry.isFresh(this.#asksDisk)
      ? hold(entry)
      : entry.update().then(() => {
          this.#watch?.add(entry.watched);
          return hold(entry);
        });
  }

  /** Whether there is a regular file, as of this turn of the event loop. */
  isFile(path: string): boolean {
    return this.#graph.disk.signature(path) !== undefined;
  }

  /** All modules in use, replaced versions that requests still hold included. */
  modules(): readonly ModuleInfo[] {
    const failures = new Map<string | undefined, Error>();
    for (const { current, failure } of this.#entries.values()) {
      if (failure) failures.set(current?.record.file, failure);
    }
    return [...this.#graph.alive()].map(({ file, generation, loadedAt }) => {
      const failure = failures.get(file);
      return { file, generation, loadedAt, ...(failure && { failure }) };
    });
  }

  /** Paths whose change would change a module, imports included. */
  *inputs(): IterableIterator<string> {
    for (const entry of this.#entries.values()) yield* entry.watched;
  }

  /**
   * Loads what other workers use, for `limitMs` milliseconds at most, and returns what is broken.
   * Never rejects.
   * @param except absolute paths of modules that must not run in two workers
   */
  async verify(limitMs: number, except: readonly string[] = []): Promise<BrokenModule[]> {
    const end = performance.now() + limitMs;
    const broken: BrokenModule[] = [];
    for (const file of this.#graph.pasts?.list() ?? []) {
      if (performance.now() > end) break;
      if (except.includes(file)) continue;
      const entry = this.#entry(file);
      await entry.update();
      const { current, failure } = entry;
      if (!failure || failure.code === "MODTS_HANDLER_DELETED") continue;
      const { code, message } = failure;
      broken.push({ code, message, isServed: current !== undefined });
    }
    return broken;
  }

  /** Disposes of the current version of a module, by its absolute path; resolves after its hook. */
  async unload(file: string): Promise<void> {
    const entry = this.#entries.get(file);
    this.#entries.delete(file);
    await entry?.close();
  }

  /** Waits for the running build, and disposes of every version that no request holds. */
  async close(): Promise<void> {
    this.#graph.isClosing = true;
    await this.#watch?.close();
    await this.#graph.idle();
    await Promise.all(Array.from(this.#entries.values(), (entry) => entry.close()));
    this.#entries.clear();
  }

  #entry(file: string): Entry {
    return getOrCreate(this.#entries, file, () => new Entry(file, this.#graph));
  }

  /** One entry a turn, so that requests get their turn between two builds. */
  #warm(paths: ReadonlySet<string>): void {
    const stale = [...this.#entries.values()].filter((entry) => entry.isWatching(paths));
    const next = (): void => {
      const entry = stale.pop();
      if (!entry) return;
      const done = entry.isFresh(true) ? Promise.resolve() : entry.update();
      void done.then(() => {
        this.#watch?.add(entry.watched);
        setImmediate(next).unref();
      });
    };
    next();
  }
}

/** Throws the failure of an entry that never had a good version. */
function hold(entry: Entry): LoadedModule {
  const { current, failure } = entry;
  if (!current) throw failure as Error;
  return new LoadedModule(entry.file, current, failure);
}

/** A version of a module, held by the caller. */
export class LoadedModule {
  /** Namespace object. */
  readonly exports: Readonly<Record<string, unknown>>;
  /** Absolute path, as requested. */
  readonly file: string;
  /** Counts the good builds of this entry in this process, from 1. */
  readonly generation: number;
  /** Why the newest save does not serve. */
  readonly failure: Error | undefined;
  readonly #version: Version;
  #isHeld = true;

  constructor(file: string, version: Version, failure: Error | undefined) {
    this.exports = version.exports;
    this.file = file;
    this.generation = version.generation;
    this.failure = failure;
    this.#version = version;
    version.hold();
  }

  /** Exports declared by the module itself, without re-exports and `default`. */
  get declared(): ReadonlySet<string> {
    return this.#version.record.ownExports;
  }

  /** Of its text, and of the local files that it imports. */
  get digest(): string {
    return digestOf(this.#version.record);
  }

  /** Releases the version; idempotent. */
  release(): void {
    if (this.#isHeld) this.#version.release();
    this.#isHeld = false;
  }

  /** Holds the version for longer; returns the function that releases it. */
  retain(): () => void {
    const more = new LoadedModule(this.file, this.#version, this.failure);
    return () => more.release();
  }
}
