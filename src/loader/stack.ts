/**
 * Stack traces of user modules with positions in the TypeScript files.
 *
 * Node does not apply source maps to vm modules, so `Error.prepareStackTrace` does. Each version of
 * a file has its own identifier (`file:///path/file.ts?v=7`): requests begun before a save are mapped with
 * the map and text of their version.
 */
import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { getOrCreate } from "../base/cache.ts";
import { attempt } from "../base/attempt.ts";
import { BuildError, type SourcePosition } from "./build-error.ts";
import { type Columns, type CompiledCode, sourceColumn } from "./compile.ts";

/** Place in a user module with the lines around it, for the error page. */
export interface SourceFrame extends SourcePosition {
  /** Empty when the text is unknown. `hit` marks the line itself. */
  text: { line: number; text: string; hit: boolean }[];
}

/** Version of a file, by identifier. */
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

/** Maps kept per file: the current version, and those that slow requests may still run. */
const keptVersions = 3;

/** Lines shown before and after. */
const margin = 5;

const versions = new Map<string, VersionSource>();
const identifiers = new Map<string, string[]>();
const positions = new WeakMap<object, UserPosition>();

/** Registers the source of an identifier. The oldest of more than three versions is dropped. */
export function rememberSource(
  identifier: string,
  source: { file: string; text: string; compiled: CompiledCode },
): void {
  const { file, text, compiled } = source;
  versions.set(identifier, { file, text, payload: compiled.map, columns: compiled.columns ?? [] });
  const kept = getOrCreate(identifiers, file, () => []);
  kept.push(identifier);
  if (kept.length > keptVersions) versions.delete(kept.shift() as string);
}

export function forgetSource(file: string): void {
  for (const identifier of identifiers.get(file) ?? []) versions.delete(identifier);
  identifiers.delete(file);
}

/**
 * Installs source-mapped stack traces in this process. Idempotent. Libraries may replace the
 * function: {@link sourceFrame} still maps its raw positions.
 */
export function installStackTraces(): void {
  Error.prepareStackTrace = prepareStackTrace;
}

/** First place in a user module named by an error or its causes. */
export function sourceFrame(error: unknown): SourceFrame | undefined {
  for (const link of causes(error)) {
    if (link instanceof BuildError) {
      const { file, line, column, source } = link;
      return {
        file,
        line,
        column,
        text: linesAround(source ?? attempt(() => readFileSync(file, "utf8"), ""), line),
      };
    }
    const position = userPosition(link);
    if (position) {
      const { source, ...place } = position;
      return { ...place, text: linesAround(source, place.line) };
    }
  }
  return undefined;
}

/** First frame of an error in a user module, as a place in its source. */
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
    // A throwing getter or proxy must not replace the error.
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

/** Reading the property makes V8 format it; libraries may have set it to anything. */
function readStack(error: Error): unknown {
  return attempt(() => error.stack, undefined);
}

function parseStack(stack: unknown): UserPosition | undefined {
  if (typeof stack !== "string") return undefined;
  for (const [, identifier, line, column] of stack.matchAll(
    /(file:\/\/\/.*?\?v=\d+):(\d+):(\d+)/g,
  )) {
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
