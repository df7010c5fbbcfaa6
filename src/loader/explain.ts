/** Places of build failures in the author's file. */
import {
  BuildError,
  escapePattern,
  locate,
  withoutFrames,
  type SourcePosition,
} from "./build-error.ts";
import { DeadlineError } from "../base/attempt.ts";
import { suggestion } from "../base/did-you-mean.ts";
import type { ModuleRecord } from "./module-record.ts";
import { userPosition } from "./stack.ts";

/** Turns any loading error of `root` into a {@link BuildError} with the place in its file. */
export async function explain(
  error: unknown,
  root: ModuleRecord,
  reached: readonly ModuleRecord[],
): Promise<BuildError> {
  if (error instanceof BuildError) return error;
  adviseOnModules(error);
  const position = userPosition(error);
  if (position) {
    const { source, ...place } = position;
    return new BuildError(describe(error), place, { source, cause: error });
  }
  const { record, ...place } =
    (error instanceof DeadlineError ? await findHanging(reached) : findImporter(error, reached)) ??
    ({ record: root, line: 0, column: 0 } satisfies Culprit);
  return new BuildError(
    describe(error),
    { file: record.file, ...place },
    { source: record.text, cause: withoutFrames(error) },
  );
}

/** Names of CommonJS, and what a module has in their place. */
const insteadOf: Readonly<Record<string, string>> = {
  require: 'use import, or createRequire(import.meta.url) of "node:module"',
  module: "use export",
  exports: "use export",
  __dirname: "use import.meta.dirname",
  __filename: "use import.meta.filename",
};

/** Adds advice to the error of a module that uses names of CommonJS, as Node.js does in its own. */
export function adviseOnModules(error: unknown): void {
  if (!(error instanceof ReferenceError)) return;
  const [whole, name = ""] = /^(\w+) is not defined$/.exec(error.message) ?? [];
  const advice = insteadOf[name];
  if (advice === undefined || whole === undefined) return;
  rephrase(error, `${whole} in an ES module; ${advice}`);
}

/** Replaces the message, which begins the stack too. */
export function rephrase(error: Error, message: string): void {
  error.stack = error.stack?.replace(error.message, () => message) ?? "";
  error.message = message;
}

interface Culprit extends Omit<SourcePosition, "file"> {
  record: ModuleRecord;
}

function describe(error: unknown): string {
  if (error instanceof DeadlineError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${String(error)}`;
}

/**
 * V8 does not report where it waits. Imports run before importers, so it is the last unfinished
 * module, probably at its first top-level `await` or loop.
 */
async function findHanging(reached: readonly ModuleRecord[]): Promise<Culprit | undefined> {
  for (const record of reached.toReversed()) {
    const isLoop = record.module.status === "errored";
    if (!isLoop && !(await record.isWaiting())) continue;
    const statement = isLoop ? /^(?:while|for|do)\b/m : /^(?=\S).*\bawait\b/m;
    return { record, ...locate(record.text, statement) };
  }
  return undefined;
}

/** V8 reports the missing name and the specifier, but not the importer. */
function findImporter(error: unknown, reached: readonly ModuleRecord[]): Culprit | undefined {
  if (!(error instanceof SyntaxError)) return undefined;
  const [, specifier, name] = /module '(.+?)' .*'(.+?)'/.exec(error.message) ?? [];
  if (specifier === undefined || name === undefined) return undefined;
  const statement = importPattern(specifier, name);
  for (const record of reached) {
    if (!record.requests.some((request) => request.specifier === specifier)) continue;
    const place = locate(record.text, statement);
    if (place.line === 0) continue;
    const exported = [...(record.edges.get(specifier)?.target?.ownExports ?? [])];
    const guess = suggestion(name, exported) || "; if it is a type, write import type";
    rephrase(error, `${error.message}${guess}`);
    return { record, ...place };
  }
  return undefined;
}

function importPattern(specifier: string, name: string): RegExp {
  const words =
    name === "default" ? "(?:(?<=import\\s+)\\w+|default)" : `${escapePattern(name)}(?![\\w$])`;
  return new RegExp(`(?<![\\w$])${words}(?=[^;"']*from\\s*["']${escapePattern(specifier)}["'])`);
}
