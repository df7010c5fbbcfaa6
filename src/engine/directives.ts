/**
 * Directives of one location, as sent by the macros of `apache-conf/mod_ts.conf`: one line per
 * entry, outer sections first, so that the last entry wins; and the modules that their
 * handler references name.
 */
import { existsSync } from "node:fs";
import { isAbsolute, resolve, sep } from "node:path";
import { realpath } from "../loader/disk.ts";
import { isModTsError, ModTsError } from "../base/errors.ts";
import { parseFlag, SectionOptions } from "../base/options.ts";
import {
  badReference,
  type HandlerReference,
  parseModule,
  parseReference,
} from "./handler-reference.ts";
import { type HandlerModule, type PhaseName, phaseNames, type Resolve } from "./handler.ts";
import type { DecidedPhases, Dictionary } from "../request/exchange.ts";

/** The handlers of one phase: those for an extension replace the plain ones, as in mod_python. */
export interface HandlerList {
  readonly plain: readonly HandlerReference[];
  readonly byExtension: ReadonlyMap<string, readonly HandlerReference[]>;
  /** Lists add up in place of replacing each other, those for an extension included. */
  readonly addsUp: boolean;
}

/** A filter of one location. */
export interface FilterReference {
  readonly reference: HandlerReference;
  /** Media types in lower case that it is for; empty: all. */
  readonly types: readonly string[];
}

/** Filters of one location, in order. */
export interface FilterLists {
  readonly output: readonly FilterReference[];
  readonly input: readonly FilterReference[];
}

/** The configuration of one location. */
export interface Directives {
  readonly handlers: ReadonlyMap<PhaseName, HandlerList>;
  /** The phases before content that have handlers, in order. */
  readonly beforeContent: readonly PhaseName[];
  /** Undefined if it has none. */
  readonly filters: FilterLists | undefined;
  readonly options: Dictionary;
  readonly debug: boolean;
  /** Pool of the location; undefined if it names none. */
  readonly interpreter: string | undefined;
  /** Most bytes of a request body. httpd does not apply `LimitRequestBody` to what it proxies. */
  readonly bodyBytes: number;
  /** Whether responses get a header `Server-Timing`. */
  readonly timing: boolean;
  /** What a callback tells Apache about phases that have run; undefined: there are none. */
  readonly decided: DecidedPhases | undefined;
  /** Modules for all phases that they have exports for; see `expandModules`. */
  readonly modules: readonly HandlerReference[];
}

const anyLength = [0, Number.MAX_SAFE_INTEGER] as const;

/** The parts of {@link Directives}, outer sections first. */
export interface DirectiveParts {
  /** Lists of handlers, e.g. `a.ts b.ts::name | .html`, each with its phase. */
  readonly handlers?: Iterable<readonly [PhaseName, string]>;
  /** Lists of filters, e.g. `a.ts b.ts::name | text/html`; `none` drops those before it. */
  readonly filters?: Iterable<readonly ["output" | "input", string]>;
  /** Keys with values; an empty value removes an inherited one. */
  readonly options?: Iterable<readonly [string, string]>;
  readonly debug?: boolean;
  readonly interpreter?: string | undefined;
  readonly decided?: DecidedPhases | undefined;
  readonly modules?: readonly HandlerReference[];
}

/** The phases that run before the content handler, in order. */
export const phasesBeforeContent: readonly PhaseName[] = phaseNames.slice(
  0,
  phaseNames.indexOf("handler"),
);

/**
 * Merges the sections of a location: an inner list replaces the outer one of the same phase and
 * extension, an inner option the outer one (httpd: section merging; mod_python: `PythonOption`).
 * @throws ModTsError `MODTS_BAD_REFERENCE`
 */
export function createDirectives(parts: DirectiveParts): Directives {
  const { debug = false, interpreter, decided, modules = [] } = parts;
  const handlers = new Map<PhaseName, HandlerList>();
  for (const [phase, text] of parts.handlers ?? []) {
    handlers.set(phase, mergeList(handlers.get(phase) ?? emptyList(phase), text));
  }
  const filters = mergeFilters(parts.filters ?? []);
  const options: Record<string, string> = Object.create(null);
  for (const [key, value] of parts.options ?? []) {
    if (value === "") delete options[key];
    else options[key] = value;
  }
  const beforeContent = phasesBeforeContent.filter((phase) => handlers.has(phase));
  Object.freeze(options);
  const timing = parseFlag(options["mod_ts.server_timing"] ?? "") === true;
  return Object.freeze({
    handlers,
    beforeContent,
    filters,
    options,
    debug,
    interpreter,
    bodyBytes: new SectionOptions(options, "request").number("body_bytes", Infinity, anyLength),
    timing,
    decided,
    modules,
  });
}

/**
 * Parses the lines `handler a.ts b.ts::name | .html`, `option key value`, `debug On`, `interpreter
 * name`, `outputfilter a.ts | text/html`; `handler ?mod_ts/origin` and `pass` count if no other line names one.
 * `module site.ts`: see `expandModules`.
 * `guarded`: the authorizer has run type and fixup handlers. `accept env.NAME`: see `changesOf`.
 * Where Apache has several sidecars, handlers follow a name: `handler @blog a.ts`.
 * @param sidecar own name; empty: that of `mod_ts.conf` itself, whose lines have none
 * @throws ModTsError `MODTS_BAD_CONFIG_LINE`, `MODTS_BAD_REFERENCE`, `MODTS_OTHER_SIDECAR`
 */
export function parseDirectives(lines: readonly string[], sidecar: string = ""): Directives {
  const handlers: [PhaseName, string][] = [];
  const filters: ["output" | "input", string][] = [];
  const modules: HandlerReference[] = [];
  const decidedLines: string[] = [];
  const accepted = new Set<string>();
  const isGuarded = lines.includes("guarded");
  let foreign: string | undefined;
  const options: [string, string][] = [];
  let fallback: string | undefined;
  let debug = false;
  let interpreter: string | undefined;
  for (const line of lines) {
    const [kind, rest] = splitWord(line);
    if (kind === "option" && rest !== "") options.push(splitWord(rest));
    else if (kind === "debug") debug = requireFlag(rest, line);
    else if (kind === "interpreter") interpreter = rest;
    else if (kind === "accept") accepted.add(rest.toLowerCase());
    else if (kind === "pass") fallback = "mod_ts/origin";
    else if (kind === "guarded") continue;
    else if (!isFilter(kind) && !isPhase(kind) && kind !== "module") {
      throw new ModTsError("MODTS_BAD_CONFIG_LINE", { line });
    } else {
      if (decidedPhases.test(kind)) decidedLines.push(line);
      const own = ownHandlers(rest, sidecar);
      if (own === undefined) {
        if (!replaceable.has(kind)) throw otherSidecar(line, sidecar);
        // An inner section decides who serves the content.
        if (kind === "handler" && !rest.startsWith("?")) foreign = line;
      } else if (kind === "module") modules.push(parseModule(own));
      else if (isGuarded && (kind === "type" || kind === "fixup")) continue;
      else if (isFilter(kind)) filters.push([kind === "outputfilter" ? "output" : "input", own]);
      else if (kind === "handler" && own.startsWith("?")) fallback = own.slice(1);
      else {
        handlers.push([kind, own]);
        if (kind === "handler") foreign = undefined;
      }
    }
  }
  if (foreign !== undefined) throw otherSidecar(foreign, sidecar);
  const hasContent = handlers.some(([phase]) => phase === "handler");
  if (fallback !== undefined && !hasContent && modules.length === 0)
    handlers.push(["handler", fallback]);
  const decided = decidedLines.length > 0 ? { lines: decidedLines, accepted } : undefined;
  return createDirectives({ handlers, filters, options, debug, interpreter, decided, modules });
}

/** Lines whose handlers Apache asks for in a callback, unless they have run. */
const decidedPhases = /^(?:trans|init|headerparser|type|fixup|module)$/;

/** Phases that refuse nothing: a line of another sidecar is skipped. */
const replaceable: ReadonlySet<string> = new Set(["handler", "log", "cleanup"]);

/**
 * The handlers of a line; undefined for those of another sidecar.
 *
 * Attack: sections of two sidecars apply to one request. A handler of one, a guard above all, must not
 * be looked up in the directories of the other, where somebody else writes.
 */
function ownHandlers(text: string, sidecar: string): string | undefined {
  const [, name = "", handlers = text] = /^@(\S+)\s+(.*)$/s.exec(text) ?? [];
  return name === sidecar ? handlers : undefined;
}

function otherSidecar(line: string, sidecar: string): ModTsError {
  return new ModTsError("MODTS_OTHER_SIDECAR", { line, sidecar: sidecar || "main" });
}

/** Parses each distinct configuration once; cleared at 10,000, more than Apache's files hold. */
export class DirectivesCache {
  readonly #parsed = new Map<string, Directives>();
  readonly #sidecar: string;

  /** @param sidecar see {@link parseDirectives} */
  constructor(sidecar: string) {
    this.#sidecar = sidecar;
  }

  /** @throws ModTsError as {@link parseDirectives} does */
  get(lines: readonly string[]): Directives {
    // Most locations have one line, which is its own key.
    const key = lines.length === 1 ? (lines[0] as string) : lines.join("\n");
    let directives = this.#parsed.get(key);
    if (!directives) {
      directives = parseDirectives(lines, this.#sidecar);
      if (this.#parsed.size >= 10_000) this.#parsed.clear();
      this.#parsed.set(key, directives);
    }
    return directives;
  }
}

/** The handlers for a file; its extension is everything after the first dot of its name. */
export function selectHandlers(
  list: HandlerList | undefined,
  file: { readonly filename: string },
): readonly HandlerReference[] {
  if (!list) return [];
  if (list.byExtension.size === 0) return list.plain;
  const { filename } = file;
  const name = filename.slice(filename.lastIndexOf("/") + 1);
  const dot = name.indexOf(".");
  const own = dot >= 0 ? list.byExtension.get(name.slice(dot)) : undefined;
  return own && list.addsUp ? union(list.plain, own) : (own ?? list.plain);
}

function isFilter(kind: string): kind is "outputfilter" | "inputfilter" {
  return kind === "outputfilter" || kind === "inputfilter";
}

function isPhase(kind: string): kind is PhaseName {
  return (phaseNames as readonly string[]).includes(kind);
}

function splitWord(text: string): [string, string] {
  const trimmed = text.trim();
  const end = trimmed.search(/\s/);
  return end < 0 ? [trimmed, ""] : [trimmed.slice(0, end), trimmed.slice(end).trim()];
}

function requireFlag(text: string, line: string): boolean {
  const flag = parseFlag(text);
  if (flag === undefined) throw new ModTsError("MODTS_BAD_CONFIG_LINE", { line });
  return flag;
}

function emptyList(phase: PhaseName): HandlerList {
  return { plain: [], byExtension: new Map(), addsUp: phase === "access" };
}

function mergeList(outer: HandlerList, text: string): HandlerList {
  const [names = "", extensions] = text.split(/\s\|\s/);
  const references = names.split(/\s+/).filter(Boolean).map(parseReference);
  if (references.length === 0) throw badReference(text, "no handler is named");
  const merge = (before: readonly HandlerReference[] = []): readonly HandlerReference[] =>
    outer.addsUp ? union(before, references) : references;
  if (extensions === undefined) return { ...outer, plain: merge(outer.plain) };
  const byExtension = new Map(outer.byExtension);
  for (const extension of extensions.split(/\s+/).filter(Boolean)) {
    byExtension.set(extension, merge(byExtension.get(extension)));
  }
  return { ...outer, byExtension };
}

/**
 * Filters of inner sections come after those of outer ones. Attack: an inner section adds a filter,
 * and so drops that of the outer one, which hides something.
 */
function mergeFilters(
  lists: Iterable<readonly ["output" | "input", string]>,
): FilterLists | undefined {
  const found: Record<"output" | "input", FilterReference[]> = { output: [], input: [] };
  for (const [direction, text] of lists) {
    if (text === "none") found[direction] = [];
    else found[direction].push(...parseFilters(text));
  }
  return found.output.length + found.input.length > 0 ? found : undefined;
}

function parseFilters(text: string): FilterReference[] {
  const [names = "", list = ""] = text.split(/\s\|\s/);
  const references = names.split(/\s+/).filter(Boolean).map(parseReference);
  if (references.length === 0) throw badReference(text, "no filter is named");
  const types = list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean);
  const wrong = types.find((type) => !/^[\w.+-]+\/(?:[\w.+-]+|\*)$/.test(type));
  if (wrong !== undefined) throw badReference(text, `${wrong} is not a media type`);
  return references.map((reference) => ({ reference, types }));
}

/** Both lists in order; a reference that is in both runs once. */
function union(
  first: readonly HandlerReference[],
  second: readonly HandlerReference[],
): readonly HandlerReference[] {
  return [...new Map([...first, ...second].map((each) => [each.text, each])).values()];
}

const prefix = "mod_ts/";

export interface ResolverOptions {
  /** Absolute paths of the handler directories, in the order of lookup. */
  roots: readonly string[];
  load: (file: string, exportName: string) => HandlerModule | Promise<HandlerModule>;
  /** `mod_ts/name` by name. */
  builtins: Readonly<Record<string, object>>;
  /** Whether a missing file was a handler before. @default none was */
  isDeleted?: (file: string) => boolean;
}

export function createResolver(options: ResolverOptions): Resolve {
  const { builtins, load } = options;
  const modules = new Map(
    Object.entries(builtins).map(([name, exports]) => [name, createBuiltin(name, exports)]),
  );
  // Cached: a search through the directories would cost every request.
  const files = new Map<string, string>();
  const find = (name: string): string => {
    let file = files.get(name);
    if (file === undefined) {
      file = findFile(name, options);
      files.set(name, file);
    }
    return file;
  };
  /** A deleted file may have become visible in another directory. */
  const findAgain = (error: unknown, name: string, exportName: string): Found => {
    if (!isModTsError(error) || error.code !== "MODTS_HANDLER_DELETED") throw error;
    files.delete(name);
    return load(find(name), exportName);
  };
  return (name, exportName) => {
    if (name.startsWith(prefix)) return findBuiltin(modules, name.slice(prefix.length));
    try {
      const found = load(find(name), exportName);
      if (!(found instanceof Promise)) return found;
      return found.catch((error: unknown) => findAgain(error, name, exportName));
    } catch (error) {
      return findAgain(error, name, exportName);
    }
  };
}

type Found = ReturnType<Resolve>;

/**
 * Attack: a symbolic link inside a directory runs a file from elsewhere. So real paths are
 * compared; those of the directories each time, as `current -> releases/42` may have changed.
 * @throws ModTsError `MODTS_OUTSIDE_ROOTS`
 */
export function requireInside(file: string, roots: readonly string[]): void {
  if (!roots.some((root) => isInside(file, realpath(root) ?? root))) throw outside(file, roots);
}

function findFile(name: string, { roots, isDeleted }: ResolverOptions): string {
  const candidates = isAbsolute(name) ? [resolve(name)] : roots.map((root) => resolve(root, name));
  // A page knows its directory by the real path.
  const folders = [...roots, ...roots.map((root) => realpath(root) ?? root)];
  const allowed = candidates.filter((file) => folders.some((root) => isInside(file, root)));
  if (allowed.length === 0) throw outside(candidates[0] ?? name, roots);
  const found = allowed.find((file) => existsSync(file));
  if (found) return found;
  const deleted = allowed.find((file) => isDeleted?.(file));
  if (deleted) throw new ModTsError("MODTS_HANDLER_DELETED", { file: deleted });
  throw new ModTsError("MODTS_HANDLER_NOT_FOUND", { file: name, roots: roots.join(", ") });
}

function isInside(file: string, root: string): boolean {
  return file.startsWith(root.endsWith(sep) ? root : root + sep);
}

function outside(file: string, roots: readonly string[]): ModTsError {
  return new ModTsError("MODTS_OUTSIDE_ROOTS", { file, roots: roots.join(", ") });
}

function createBuiltin(name: string, exports: object): HandlerModule {
  return {
    exports: exports as Readonly<Record<string, unknown>>,
    file: prefix + name,
    generation: 0,
    release() {},
  };
}

function findBuiltin(modules: ReadonlyMap<string, HandlerModule>, name: string): HandlerModule {
  const module = modules.get(name);
  if (module) return module;
  const names = [...modules.keys()].map((known) => prefix + known).join(", ");
  throw new ModTsError("MODTS_UNKNOWN_BUILTIN", { name: prefix + name, names });
}
