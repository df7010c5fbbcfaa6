/**
 * User modules: TypeScript files, loaded at the request and reloaded when they change.
 *
 * A module may export a hook, `dispose(state)`: it is called once, when another version has taken over and the last
 * request that began with this one has ended; `state` is its `import.meta.state`, see `import-meta.ts`. A hook that
 * throws or hangs is logged.
 *
 * Modules shared by two handlers are one instance. Only while one of the two has not been asked for since the save do
 * both versions exist: what must exist once for all time belongs in a file that is rarely edited, or in `state`.
 * Packages, `.cjs` files and addons are Node's: they change with a new process.
 * @module
 */
import { resolve } from "node:path";
import vm from "node:vm";
import { ModTsError } from "../errors.ts";
import { log } from "../log.ts";
import type { CompileCache } from "./compile-cache.ts";
import type { Languages } from "./compile.ts";
import { Entry, type Change } from "./entry.ts";
import { Graph } from "./graph.ts";
import { installStackTraces } from "./stack.ts";
import type { Version } from "./version.ts";
import { Watch } from "./watch.ts";

export type { Change } from "./entry.ts";

/** Options of {@link createLoader}. */
export interface LoaderOptions {
  /**
   * `"request"` asks the file system before each load; `"manual"` looks only after {@link Loader.reload}, for
   * production. A save that this very process makes is seen from the next turn of the event loop on.
   * @default "request"
   */
  freshness?: "request" | "manual";
  /**
   * Warms up what a save made stale, and tells listeners of it, before the next request. `{ poll }` (milliseconds) is
   * for file systems that send no events. Without it nothing goes stale, only later. Ignored when freshness is manual.
   * @default true
   */
  watch?: boolean | { poll: number };
  /**
   * Milliseconds that the top level of a module may take, and the loading of its packages; then the build has failed.
   * Other modules that changed wait as long.
   * @default 10_000
   */
  evaluateTimeout?: number;
  /**
   * Milliseconds that a `dispose` hook may take; then it is logged and left.
   * @default 5_000
   */
  disposeTimeout?: number;
  /**
   * Specifiers that the host answers, e.g. `{ "mod-ts": namespace }`: an import gets exactly these objects, whatever is
   * installed beside the importer.
   * @default {}
   */
  builtins?: Readonly<Record<string, object>>;
  /**
   * Further languages by the extension of their files, e.g. `.tsp`.
   * @default {}
   */
  languages?: Languages;
  /**
   * Keeps what files of {@link languages} compile to over the life of the process.
   * @default none
   */
  cache?: CompileCache | undefined;
  /**
   * Asked before the code of an entry runs, with its path without symlinks; throws for a file that must not be one.
   * Modules that an entry imports are its own affair, but for those of {@link languages}: they are asked about, too.
   * @default every file may
   */
  approve?: (file: string) => void;
}

/** A version of a module, held by the caller. */
export interface LoadedModule {
  /** What the module exports: its namespace object. */
  readonly exports: Readonly<Record<string, unknown>>;
  /** Names of the exports that the module declares itself, not those that it passes on; without `default`. */
  readonly declared: ReadonlySet<string>;
  /** Absolute path, as it was asked for. */
  readonly file: string;
  /** Counts the good builds of this entry in this process, from 1. */
  readonly generation: number;
  /** Why the newest save could not be loaded, while this older version goes on serving. */
  readonly failure: Error | undefined;
  /** Lets go of the version; the second call does nothing. */
  release(): void;
  /** Holds the version once more, on behalf of something that was made of it; the function that it gives lets go. */
  retain(): () => void;
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

/** Loads user modules. */
export interface Loader {
  /**
   * The newest version of a module, held for the caller, who calls `release` once. Answers at once when nothing changed.
   *
   * Throws or rejects with `MODTS_BUILD_FAILED` or `MODTS_BUILD_TIMEOUT` when there is no good version; the cause is a
   * `BuildError` with file, line and column. When an older version is good, that one serves, with `failure` set.
   *
   * `exportName` is what the caller is going to look up: a save that loses it, when the version before had it, counts
   * as a failed build. When no version had it, the module is returned all the same. Of names with `|` between them any will do.
   */
  load(file: string, exportName?: string): LoadedModule | Promise<LoadedModule>;
  /** Absolute paths of the local files that an entry reaches now, the entry first; empty when it is not loaded. */
  filesOf(file: string): readonly string[];
  /** Every module that is alive, replaced versions that requests still hold among them. */
  modules(): readonly ModuleInfo[];
  /** Declares everything stale: each entry is built anew at its next load, all its local modules with it. */
  reload(): void;
  /** Calls back after each build of an entry, good or bad, the first included. Returns the function that stops it. */
  onChange(listener: (change: Change) => void): () => void;
  /** Stops watching, waits for the build under way, disposes of every version that no request holds. */
  close(): Promise<void>;
}

/** Makes a loader. Needs a process that was started with `--experimental-vm-modules`. */
export function createLoader(options: LoaderOptions = {}): Loader {
  if (typeof vm.SourceTextModule !== "function") throw new ModTsError("MODTS_NODE_FLAG_MISSING");
  installStackTraces();
  return new ModuleLoader(options);
}

class ModuleLoader implements Loader {
  readonly #graph: Graph;
  readonly #asksDisk: boolean;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #watch: Watch | undefined;

  constructor(options: LoaderOptions) {
    const { freshness = "request", watch = true } = options;
    const { evaluateTimeout = 10_000, disposeTimeout = 5_000, builtins = {} } = options;
    const { approve = () => undefined, languages = {}, cache } = options;
    const limits = { evaluateTimeout, disposeTimeout };
    this.#graph = new Graph({ ...limits, builtins, approve, languages, cache });
    this.#asksDisk = freshness === "request";
    if (this.#asksDisk && watch !== false) {
      const interval = watch === true ? undefined : watch.poll;
      this.#watch = new Watch((paths) => this.#warm(paths), interval);
    }
  }

  load(file: string, exportName?: string): LoadedModule | Promise<LoadedModule> {
    const entry = this.#entries.get(file) ?? this.#entry(resolve(file));
    if (exportName !== undefined) entry.ask(exportName);
    return entry.isFresh(this.#asksDisk)
      ? hold(entry)
      : entry.update().then(() => {
          this.#watch?.add(entry.watched);
          return hold(entry);
        });
  }

  filesOf(file: string): readonly string[] {
    return this.#entries.get(resolve(file))?.files ?? [];
  }

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

  reload(): void {
    this.#graph.epoch += 1;
  }

  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    await this.#watch?.close();
    await this.#graph.idle();
    await Promise.all(Array.from(this.#entries.values(), (entry) => entry.close()));
    this.#entries.clear();
  }

  #entry(file: string): Entry {
    const known = this.#entries.get(file);
    if (known) return known;
    const entry = new Entry(file, this.#graph, (change) => this.#tell(change));
    this.#entries.set(file, entry);
    return entry;
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        log("error", "a listener for changed modules failed", { error });
      }
    }
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
  return new Hold(entry.file, current, failure);
}

class Hold implements LoadedModule {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly file: string;
  readonly generation: number;
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

  get declared(): ReadonlySet<string> {
    return this.#version.record.ownExports;
  }

  release(): void {
    if (this.#isHeld) this.#version.release();
    this.#isHeld = false;
  }

  retain(): () => void {
    const more = new Hold(this.file, this.#version, this.failure);
    return () => more.release();
  }
}
