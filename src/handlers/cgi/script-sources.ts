/**
 * TypeScript of scripts, resolved and compiled by the worker for their processes: the worker has
 * the compiler in memory, and keeps the code of a file until it changes.
 *
 * A script runs as one build: its text, and that of the TypeScript that it imports statically, are
 * read before it starts. If one of them cannot be compiled or found, the last good build runs, the
 * same in all workers.
 */
import { hash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { setBounded } from "../../base/cache.ts";
import { attempt } from "../../base/attempt.ts";
import { isFile } from "../../base/files.ts";
import { ModTsError } from "../../base/errors.ts";
import { log } from "../../base/log.ts";
import type { BrokenModule, VersionStore } from "../../base/version-store.ts";
import { compileAside, largeFile, UncompiledFile } from "../../loader/aside.ts";
import { asBuildError, BuildError, locateImport, orThrow } from "../../loader/build-error.ts";
import { type CompiledCode, compileForNode, withInlineMap } from "../../loader/compile.ts";
import { fitsCommonJs, staticImports } from "../../loader/own-exports.ts";
import { isLocal, resolveLocal } from "../../loader/resolve.ts";

/** An import that Node cannot resolve, or a TypeScript file to compile. */
export type SourceRequest =
  | { readonly specifier: string; readonly parent: string | undefined }
  | { readonly url: string; readonly format: string | null | undefined };

/** URL of the file found, or code, or the reason why there is neither. */
export interface SourceResult {
  readonly url?: string | undefined;
  readonly format?: "module" | "commonjs";
  readonly source?: string;
  readonly error?: unknown;
}

/** Texts of a script and of what it imports statically, by path. Others are those on disk. */
export type ScriptBuild = Readonly<Record<string, ScriptFile>>;

interface ScriptFile {
  readonly text: string;
  /** Paths of imported TypeScript by specifier. */
  readonly imports: Readonly<Record<string, string>>;
}

interface KnownBuild {
  readonly build: ScriptBuild;
  /** Of each file, undefined if it is too young to tell. */
  readonly signatures: ReadonlyMap<string, string | undefined>;
}

const keptFiles = 500;

/** Compiled code of a file. */
interface CompiledScript {
  readonly source: string;
  readonly format: "module" | "commonjs";
  /** Local files that it imports statically. */
  readonly imports: readonly string[];
}

interface Compilation {
  readonly text: string;
  readonly result: CompiledScript | BuildError;
}

/** Throws a {@link BuildError}, or an {@link UncompiledFile}. */
type Compile = (file: string, text: string) => CompiledScript;

/** By path. */
const compiled = new Map<string, Compilation>();

/** Resolves or compiles; never rejects. */
export async function provideSource(
  request: SourceRequest,
  build: ScriptBuild = {},
): Promise<SourceResult> {
  try {
    if ("specifier" in request)
      return { url: findSource(request.specifier, request.parent, build) };
    const file = fileURLToPath(request.url);
    const { source, format } = await whenCompiled((compileFile) =>
      compileFile(file, build[file]?.text ?? readFileSync(file, "utf8")),
    );
    const named = /^(module|commonjs)\b/.exec(request.format ?? "")?.[1];
    return { source, format: named === undefined ? format : (named as "module" | "commonjs") };
  } catch (error) {
    return { error };
  }
}

/** Builds of all scripts of a worker. */
export class ScriptSources {
  readonly #versions: VersionStore | undefined;
  readonly #known = new Map<string, KnownBuild>();
  readonly #failures = new Map<string, ModTsError>();

  constructor(versions: VersionStore | undefined) {
    this.#versions = versions;
  }

  /** The build to run; an empty one, whose process meets the mistake itself, if none was good. */
  async prepare(file: string): Promise<ScriptBuild> {
    if (!isTypeScript(file)) return {};
    const known = this.#known.get(file);
    if (known && isUnchanged(known)) return known.build;
    const name = { kind: "script", file } as const;
    const since = this.#versions?.number(name) ?? 0;
    try {
      const next = await whenCompiled((compileFile) => readBuild(file, compileFile));
      setBounded(this.#known, file, next, keptFiles);
      this.#failures.delete(file);
      const content = JSON.stringify(next.build);
      const id = hash("sha256", content);
      const isCurrent = (): boolean =>
        attempt(() => JSON.stringify(readBuild(file, compileOnce).build), "") === content;
      this.#versions?.record(name, id, () => content, since, isCurrent);
      return next.build;
    } catch (error) {
      return this.#fallBack(file, error as Error);
    }
  }

  /** A script that was deleted must not come back with a mistake in it. */
  forget(file: string): void {
    if (!isTypeScript(file)) return;
    this.#known.delete(file);
    this.#failures.delete(file);
    const name = { kind: "script", file } as const;
    const since = this.#versions?.number(name) ?? 0;
    if (since > 0) this.#versions?.bury(name, since, () => !isFile(file));
  }

  /** The scripts in use whose newest save is broken. */
  async verify(): Promise<BrokenModule[]> {
    const broken: BrokenModule[] = [];
    for (const file of (this.#versions?.list("script") ?? []).filter(isFile)) {
      const isServed = Object.keys(await this.prepare(file)).length > 0;
      const failure = this.#failures.get(file);
      if (failure) broken.push({ code: failure.code, message: failure.message, isServed });
    }
    return broken;
  }

  #fallBack(file: string, cause: Error): ScriptBuild {
    const version = this.#versions?.read({ kind: "script", file });
    const isGood = version !== undefined && version.head.id !== "";
    const build = isGood ? (JSON.parse(version.content) as ScriptBuild) : {};
    const failure = new ModTsError("MODTS_BUILD_FAILED", { file, reason: cause.message });
    const { code, message } = failure;
    // Once, not at each request.
    if (this.#failures.get(file)?.message !== message) {
      log("error", isGood ? `${message}; the last good version serves` : message, { code });
    }
    setBounded(this.#failures, file, failure, keptFiles);
    return build;
  }
}

function isTypeScript(file: string): boolean {
  return /\.[cm]?tsx?$/.test(file);
}

/** Throws what `compileFile` throws, and a {@link BuildError} for an import that leads nowhere. */
function readBuild(file: string, compileFile: Compile): KnownBuild {
  const build: Record<string, ScriptFile> = {};
  const signatures = new Map<string, string | undefined>();
  const visit = (path: string): void => {
    if (Object.hasOwn(build, path)) return;
    // Before the text: a write in between must not bind its stamp to the old text.
    signatures.set(path, signatureOf(path));
    const text = readFileSync(path, "utf8");
    const imports: Record<string, string> = {};
    build[path] = { text, imports };
    for (const specifier of compileFile(path, text).imports) {
      const { file: found } = resolveLocal(specifier, path, isFile);
      // Node.js resolves URLs.
      if (found === undefined && /[?#%]/.test(specifier)) continue;
      if (found === undefined) {
        const place = { file: path, ...locateImport(text, specifier) };
        throw new BuildError(`cannot resolve "${specifier}"`, place, { source: text });
      }
      if (!isTypeScript(found)) continue;
      imports[specifier] = found;
      visit(found);
    }
  };
  visit(file);
  return { build, signatures };
}

function isUnchanged({ signatures }: KnownBuild): boolean {
  for (const [path, signature] of signatures) {
    if (signature === undefined || signature !== signatureOf(path)) return false;
  }
  return true;
}

/** Undefined for a young file: two saves within one tick of the clock look the same. */
function signatureOf(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return undefined;
  const { mtimeMs, ctimeMs, size, ino } = stats;
  const isOld = Date.now() - Math.max(mtimeMs, ctimeMs) > 1000;
  return isOld ? [mtimeMs, ctimeMs, size, ino].join() : undefined;
}

/** Imports that only TypeScript resolves: `./a.js` for `a.ts`, `./a`, a directory with an index. */
function findSource(
  specifier: string,
  parent: string | undefined,
  build: ScriptBuild,
): string | undefined {
  if (!isLocal(specifier) || !parent?.startsWith("file:")) return undefined;
  const importer = fileURLToPath(parent);
  const known = build[importer]?.imports[specifier];
  const file = known ?? resolveLocal(specifier, importer, isFile).file;
  return file === undefined ? undefined : pathToFileURL(file).href;
}

/** Repeats the work after each large file that it comes upon; threads compile them. */
async function whenCompiled<T>(work: (compileFile: Compile) => T): Promise<T> {
  // The cache is bounded: a script with many files could push its large ones out again and again.
  const large = new Map<string, Compilation>();
  const compileFile: Compile = (file, text) => {
    const known = large.get(file);
    return known?.text === text ? orThrow(known.result) : compileOnce(file, text);
  };
  for (;;) {
    try {
      return work(compileFile);
    } catch (error) {
      if (!(error instanceof UncompiledFile)) throw error;
      large.set(error.file, await compileLarge(error));
    }
  }
}

/** Compilations in threads, by path. */
const running = new Map<string, { readonly text: string; readonly ended: Promise<Compilation> }>();

/** Once, however many requests need it. */
function compileLarge({ file, text }: UncompiledFile): Promise<Compilation> {
  const before = running.get(file);
  if (before?.text === text) return before.ended;
  const ended = compileAside({ file, source: text, language: undefined, isForNode: true })
    .then((code) => toScript(file, code))
    .catch(asBuildError)
    .then((result) => keep(file, { text, result }))
    .finally(() => running.get(file)?.text === text && running.delete(file));
  running.set(file, { text, ended });
  return ended;
}

const compileOnce: Compile = (file, text) => {
  const before = compiled.get(file);
  if (before?.text === text) return orThrow(before.result);
  if (text.length >= largeFile) throw new UncompiledFile(file, text);
  const result = toScript(file, compileForNode(file, text));
  keep(file, { text, result });
  return result;
};

function keep(file: string, compilation: Compilation): Compilation {
  setBounded(compiled, file, compilation, keptFiles);
  return compilation;
}

function toScript(file: string, compilation: CompiledCode): CompiledScript {
  const { code, facts } = compilation;
  const isModule = /\.mtsx?$/.test(file) || !(facts?.fitsCommonJs ?? fitsCommonJs(code));
  const imports = isModule ? (facts?.imports ?? attempt(() => staticImports(code), [])) : [];
  return {
    source: withInlineMap(compilation),
    format: isModule ? "module" : "commonjs",
    imports: imports.filter(isLocal),
  };
}
