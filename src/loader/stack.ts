/**
 * Stack traces of user modules in lines of the TypeScript file.
 *
 * Node applies source maps to no module of ours, even with source maps enabled, so one `Error.prepareStackTrace` does.
 * Every version of a file runs under its own identifier (`/path/file.ts?v=7`): a request that began before a save is
 * mapped with the map, and shown with the text, of the version it runs.
 * @module
 */
import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { BuildError, type SourcePosition } from "./build-error.ts";
import { type Columns, sourceColumn } from "./columns.ts";
import type { CompiledCode } from "./compile.ts";

/** A place in a user module, with the lines around it, for the error page. */
export interface SourceFrame extends SourcePosition {
  /** The lines around the place; empty when the text is unknown. `hit` marks the line itself. */
  text: { line: number; text: string; hit: boolean }[];
}

/** One version of a file: what ran under an identifier. */
interface VersionSource {
  file: string;
  text: string;
  payload: SourceMapPayload | undefined;
  columns: Columns;
  map?: SourceMap | undefined;
}

interface UserPosition extends SourcePosition {
  source: string;
}

/** Versions of a file whose maps are kept: the one that runs, and those that slow requests may still run. */
const keptVersions = 3;

/** Lines shown before and after the one that failed. */
const margin = 5;

const versions = new Map<string, VersionSource>();
const identifiers = new Map<string, string[]>();
const positions = new WeakMap<object, UserPosition>();

/** Registers what is going to run under an identifier. The oldest version of the file beyond three is forgotten. */
export function rememberSource(
  identifier: string,
  source: { file: string; text: string; compiled: CompiledCode },
): void {
  const { file, text, compiled } = source;
  versions.set(identifier, {
    file,
    text,
    payload: compiled.map,
    columns: compiled.columns ?? [],
  });
  const kept = identifiers.get(source.file) ?? [];
  identifiers.set(source.file, kept);
  kept.push(identifier);
  if (kept.length > keptVersions) versions.delete(kept.shift() as string);
}

/** Forgets every version of a file that no module uses any more. */
export function forgetSource(file: string): void {
  for (const identifier of identifiers.get(file) ?? []) versions.delete(identifier);
  identifiers.delete(file);
}

/**
 * Makes this process show user modules in lines of their source. Installing twice is harmless.
 * A library that puts its own function in place later gets raw positions; {@link sourceFrame} still maps those.
 */
export function installStackTraces(): void {
  Error.prepareStackTrace = prepareStackTrace;
}

/** The first place in a user module that an error, or a cause of it, names; undefined when there is none. */
export function sourceFrame(error: unknown): SourceFrame | undefined {
  for (const link of causes(error)) {
    if (link instanceof BuildError) {
      const { file, line, column, source } = link;
      return { file, line, column, text: linesAround(source ?? readSource(file), line) };
    }
    const position = userPosition(link);
    if (position) {
      const { source, ...place } = position;
      return { ...place, text: linesAround(source, place.line) };
    }
  }
  return undefined;
}

/** The first frame of an error itself that lies in a user module, in lines of its source. */
export function userPosition(error: unknown): UserPosition | undefined {
  if (!(error instanceof Error)) return undefined;
  const stack = readStack(error);
  return positions.get(error) ?? parseStack(stack);
}

function prepareStackTrace(error: Error, sites: NodeJS.CallSite[]): string {
  const lines = sites.map((site) => `\n    at ${formatSite(error, site)}`);
  return header(error) + lines.join("");
}

function formatSite(error: Error, site: NodeJS.CallSite): string {
  const text = String(site);
  const identifier = site.getScriptNameOrSourceURL();
  const version = identifier ? versions.get(identifier) : undefined;
  const line = site.getLineNumber();
  const column = site.getColumnNumber();
  if (!version || line === null || column === null) return text;
  const place = mapPosition(version, line, column);
  if (!positions.has(error)) positions.set(error, { ...place, source: version.text });
  return text.replace(
    `${identifier}:${line}:${column}`,
    () => `${place.file}:${place.line}:${place.column}`,
  );
}

function header(error: Error): string {
  try {
    const { code } = error as NodeJS.ErrnoException;
    const isNodeError = typeof code === "string" && code.startsWith("ERR_");
    return isNodeError ? `${error.name} [${code}]: ${error.message}` : String(error);
  } catch {
    // A getter or a proxy that throws must not turn one error into another.
    return "Error";
  }
}

function mapPosition(version: VersionSource, line: number, column: number): SourcePosition {
  if (version.payload) version.map ??= new SourceMap(version.payload);
  const entry = version.map?.findEntry(line - 1, column - 1);
  if (!entry || !("originalLine" in entry)) return { file: version.file, line, column };
  const { file, columns } = version;
  const original = entry.originalLine + 1;
  return {
    file,
    line: original,
    column: sourceColumn(columns, original, entry.originalColumn + 1),
  };
}

/** Reading the property is what makes V8 format it; a library may have left anything there. */
function readStack(error: Error): unknown {
  try {
    return error.stack;
  } catch {
    return undefined;
  }
}

function parseStack(stack: unknown): UserPosition | undefined {
  if (typeof stack !== "string") return undefined;
  for (const [, identifier, line, column] of stack.matchAll(/(\/.*?\?v=\d+):(\d+):(\d+)/g)) {
    const version = versions.get(identifier as string);
    if (!version) continue;
    return { ...mapPosition(version, Number(line), Number(column)), source: version.text };
  }
  return undefined;
}

function* causes(error: unknown): Generator<unknown> {
  const seen = new Set<unknown>();
  for (let link = error; link !== undefined && !seen.has(link);) {
    seen.add(link);
    yield link;
    link = link instanceof Error ? link.cause : undefined;
  }
}

function linesAround(source: string, line: number): SourceFrame["text"] {
  if (line === 0 || source === "") return [];
  const first = Math.max(1, line - margin);
  return source
    .split(/\r?\n/)
    .slice(first - 1, line + margin)
    .map((text, index) => ({ line: first + index, text, hit: first + index === line }));
}

function readSource(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
