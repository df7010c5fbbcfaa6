/**
 * Files loaded by Node itself, above all packages. Node keeps them for the life of a process, and
 * its failures too: a package that is installed, mended or upgraded needs a new process.
 */
import { readdirSync, statSync } from "node:fs";
import { registerHooks, type ResolveHookContext } from "node:module";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { attempt } from "../base/attempt.ts";
import { directoriesAbove, packageDirectories } from "./external.ts";
import { isOnlyAsked } from "./packages.ts";
import { isLocal } from "./resolve.ts";

/** Of more files, those inside packages are compared once a second only: 3 µs each. */
const mostFiles = 1000;

/** Directories of a package that is not complete; more have nothing to do with its entry. */
const mostDirectories = 200;

/** Source of mod_ts itself: it changes with the sidecar. */
const ownDirectory = dirname(import.meta.dirname) + sep;

/** Records the files from its creation on. One for each process. */
export class NodeFiles {
  /** States by path; undefined for what was missing. Those that an installation changes. */
  readonly #decisive = new Map<string, string | undefined>();
  readonly #inPackages = new Map<string, string | undefined>();
  readonly #hooks = registerHooks({
    resolve: (specifier, context, next) => {
      try {
        const result = next(specifier, context);
        this.#record(specifier, context, (importer) => this.#found(specifier, importer, result));
        return result;
      } catch (error) {
        this.#record(specifier, context, (importer) => this.#missed(specifier, importer, error));
        throw error;
      }
    },
  });
  #comparedAt = 0;
  #changed: string | undefined;

  /** A path that has changed since Node looked for it. */
  changed(): string | undefined {
    this.#changed ??= firstChange(this.#decisive);
    const isDue = this.#inPackages.size <= mostFiles || performance.now() > this.#comparedAt + 1000;
    if (this.#changed !== undefined || !isDue) return this.#changed;
    this.#comparedAt = performance.now();
    return (this.#changed = firstChange(this.#inPackages));
  }

  close(): void {
    this.#hooks.deregister();
  }

  #record(
    specifier: string,
    { parentURL }: ResolveHookContext,
    record: (importer: string) => void,
  ): void {
    const importer = toPath(parentURL);
    if (importer === undefined || importer.startsWith(ownDirectory)) return;
    if (!specifier.startsWith("node:")) record(importer);
  }

  #found(specifier: string, importer: string, { url }: { url: string }): void {
    const file = toPath(url);
    if (file === undefined) return;
    const states = file.includes("/node_modules/") ? this.#inPackages : this.#decisive;
    if (!isOnlyAsked()) note(states, file);
    if (specifier.startsWith("#")) this.#noteImports(importer);
    if (!isPackage(specifier)) return;
    for (const manifest of packageDirectories(specifier, importer)) {
      if (note(this.#decisive, manifest) !== undefined) return;
    }
  }

  #missed(specifier: string, importer: string, error: unknown): void {
    const { url } = error as { url?: unknown };
    const file = typeof url === "string" ? toPath(url) : undefined;
    if (file !== undefined) this.#noteMissing(file);
    if (isPackage(specifier)) {
      for (const manifest of packageDirectories(specifier, importer)) {
        if (note(this.#decisive, manifest) === undefined) continue;
        // Half installed: whatever appears may be the entry.
        for (const directory of directoriesBelow(dirname(manifest)))
          note(this.#decisive, directory);
      }
    } else if (specifier.startsWith("#")) {
      this.#noteImports(importer);
    } else {
      this.#noteMissing(resolve(dirname(importer), specifier));
    }
  }

  /** The package.json that says what `#name` is. */
  #noteImports(importer: string): void {
    for (const directory of directoriesAbove(importer)) {
      if (note(this.#decisive, join(directory, "package.json")) !== undefined) return;
    }
  }

  /** Its directory as well: CommonJS tries several extensions. */
  #noteMissing(file: string): void {
    note(this.#decisive, file);
    let directory = dirname(file);
    while (note(this.#decisive, directory) === undefined) directory = dirname(directory);
  }
}

/** The first state counts: the file is read after it. */
function note(states: Map<string, string | undefined>, path: string): string | undefined {
  if (!states.has(path)) states.set(path, stateOf(path));
  return states.get(path);
}

function firstChange(states: ReadonlyMap<string, string | undefined>): string | undefined {
  for (const [path, state] of states) if (stateOf(path) !== state) return path;
  return undefined;
}

/** Without ctime: a hard link elsewhere, such as those of pnpm, changes it. */
function stateOf(path: string): string | undefined {
  const stats = attempt(() => statSync(path, { throwIfNoEntry: false }), undefined);
  return stats && `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
}

function* directoriesBelow(root: string): Generator<string> {
  const open = [root];
  for (let count = 0; count < mostDirectories; count += 1) {
    const directory = open.shift();
    if (directory === undefined) return;
    yield directory;
    for (const entry of attempt(() => readdirSync(directory, { withFileTypes: true }), [])) {
      if (entry.isDirectory() && entry.name !== "node_modules") {
        open.push(join(directory, entry.name));
      }
    }
  }
}

function isPackage(specifier: string): boolean {
  return !isLocal(specifier) && !specifier.startsWith("#") && !URL.canParse(specifier);
}

function toPath(url: string | undefined): string | undefined {
  return url?.startsWith("file:") ? attempt(() => fileURLToPath(url), undefined) : undefined;
}
