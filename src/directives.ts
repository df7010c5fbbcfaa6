/**
 * What the Apache configuration says about one location, as the macros of `apache-conf/mod_ts.conf` send it:
 * one line an entry, outer sections first, so that the last word wins.
 * @module
 */
import { ModTsError } from "./errors.ts";
import { type PhaseName, phaseNames } from "./handler.ts";
import type { Dictionary } from "./request/exchange.ts";

/** A handler as the configuration names it: `file.ts`, `file.ts::name`, `file.ts::Class.method`, `mod_ts/name`. */
export interface HandlerReference {
  /** As written. */
  readonly text: string;
  /** The part before `::`. */
  readonly module: string;
  /** The names after `::`; empty means the default name of the phase. */
  readonly path: readonly string[];
}

/** The handlers of one phase: those for an extension replace the plain ones, as in mod_python. */
export interface HandlerList {
  readonly plain: readonly HandlerReference[];
  readonly byExtension: ReadonlyMap<string, readonly HandlerReference[]>;
}

export interface Directives {
  readonly handlers: ReadonlyMap<PhaseName, HandlerList>;
  readonly options: Dictionary;
  readonly debug: boolean;
  /** Pool that the location asks for; undefined when it does not say. */
  readonly interpreter: string | undefined;
}

/**
 * Reads the lines `handler a.ts b.ts::name | .html`, `option key value`, `debug On`, `interpreter name`.
 *
 * An inner section's list replaces the outer one of the same phase and extension; options are overlaid, and an
 * empty value removes an inherited one (httpd: section merging; mod_python: `PythonOption`).
 * @throws ModTsError `MODTS_BAD_CONFIG_LINE`, `MODTS_BAD_REFERENCE`
 */
export function parseDirectives(lines: readonly string[]): Directives {
  const handlers = new Map<PhaseName, HandlerList>();
  const options: Record<string, string> = Object.create(null);
  let debug = false;
  let interpreter: string | undefined;
  for (const line of lines) {
    const [kind, rest] = splitWord(line);
    if (kind === "option") setOption(options, rest);
    else if (kind === "debug") debug = parseFlag(rest, line);
    else if (kind === "interpreter") interpreter = rest;
    else if (isPhase(kind)) handlers.set(kind, mergeList(handlers.get(kind), rest));
    else throw new ModTsError("MODTS_BAD_CONFIG_LINE", { line });
  }
  return Object.freeze({ handlers, options: Object.freeze(options), debug, interpreter });
}

/** Parses each distinct configuration once. Apache's files hold few; beyond 10,000 it begins anew. */
export class DirectivesCache {
  readonly #parsed = new Map<string, Directives>();

  /** @throws ModTsError as {@link parseDirectives} does, each time */
  get(lines: readonly string[]): Directives {
    // Most locations have one line, which is its own key.
    const key = lines.length === 1 ? (lines[0] as string) : lines.join("\n");
    let directives = this.#parsed.get(key);
    if (!directives) {
      directives = parseDirectives(lines);
      if (this.#parsed.size >= 10_000) this.#parsed.clear();
      this.#parsed.set(key, directives);
    }
    return directives;
  }
}

/**
 * Reads one handler reference.
 * @throws ModTsError `MODTS_BAD_REFERENCE`
 */
export function parseReference(text: string): HandlerReference {
  const [module = "", path, ...more] = text.split("::");
  const names = path === undefined ? [] : path.split(".");
  if (!module) throw badReference(text, "the file is missing");
  if (more.length > 0) throw badReference(text, "it has more than one ::");
  if (names.includes("")) throw badReference(text, "a name is empty");
  return { text, module, path: names };
}

/** The handlers of a phase that apply to a file; the extension is all after the first dot of its name. */
export function selectHandlers(
  list: HandlerList | undefined,
  file: { readonly filename: string },
): readonly HandlerReference[] {
  if (!list) return [];
  if (list.byExtension.size === 0) return list.plain;
  const { filename } = file;
  const name = filename.slice(filename.lastIndexOf("/") + 1);
  const dot = name.indexOf(".");
  return (dot >= 0 ? list.byExtension.get(name.slice(dot)) : undefined) ?? list.plain;
}

function isPhase(kind: string): kind is PhaseName {
  return (phaseNames as readonly string[]).includes(kind);
}

function splitWord(text: string): [string, string] {
  const trimmed = text.trim();
  const end = trimmed.search(/\s/);
  return end < 0 ? [trimmed, ""] : [trimmed.slice(0, end), trimmed.slice(end).trim()];
}

function setOption(options: Record<string, string>, text: string): void {
  const [key, value] = splitWord(text);
  if (!key) throw new ModTsError("MODTS_BAD_CONFIG_LINE", { line: "option" });
  if (value === "") delete options[key];
  else options[key] = value;
}

function parseFlag(text: string, line: string): boolean {
  if (/^on$/i.test(text)) return true;
  if (/^off$/i.test(text)) return false;
  throw new ModTsError("MODTS_BAD_CONFIG_LINE", { line });
}

function mergeList(outer: HandlerList | undefined, text: string): HandlerList {
  const [names = "", extensions] = text.split(/\s\|\s/);
  const references = names.split(/\s+/).filter(Boolean).map(parseReference);
  if (references.length === 0) throw badReference(text, "no handler is named");
  const byExtension = new Map(outer?.byExtension);
  if (extensions === undefined) return { plain: references, byExtension };
  for (const extension of extensions.split(/\s+/).filter(Boolean)) {
    byExtension.set(extension, references);
  }
  return { plain: outer?.plain ?? [], byExtension };
}

function badReference(reference: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_REFERENCE", { reference, reason });
}
