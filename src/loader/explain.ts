/**
 * Where a build failed, in the file that the author wrote.
 * @module
 */
import {
  BuildError,
  escapePattern,
  locate,
  withoutFrames,
  type SourcePosition,
} from "./build-error.ts";
import { DeadlineError } from "./deadline.ts";
import type { ModuleRecord } from "./module-record.ts";
import { userPosition } from "./stack.ts";

/** Turns whatever the loading of `root` threw into a {@link BuildError}; `reached` are the modules that took part. */
export async function explain(
  error: unknown,
  root: ModuleRecord,
  reached: readonly ModuleRecord[],
): Promise<BuildError> {
  if (error instanceof BuildError) return error;
  const position = userPosition(error);
  if (position) {
    const { source, ...place } = position;
    return new BuildError(describe(error), place, { source, cause: error });
  }
  const { record, ...place } =
    (error instanceof DeadlineError ? await findHanging(reached) : findImporter(error, reached)) ??
    atFile(root);
  return new BuildError(
    describe(error),
    { file: record.file, ...place },
    { source: record.text, cause: withoutFrames(error) },
  );
}

interface Culprit extends Omit<SourcePosition, "file"> {
  record: ModuleRecord;
}

function describe(error: unknown): string {
  if (error instanceof DeadlineError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${String(error)}`;
}

function atFile(record: ModuleRecord): Culprit {
  return { record, line: 0, column: 0 };
}

/**
 * V8 does not tell what it was waiting for. Imports run before their importers, so the last one reached that is not done
 * is the one; a statement that can wait, at the left margin, is most likely the place.
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

/** V8 tells which name an import lacks, and the specifier, but not whose import it is. */
function findImporter(error: unknown, reached: readonly ModuleRecord[]): Culprit | undefined {
  if (!(error instanceof SyntaxError)) return undefined;
  const [, specifier, name] = /module '(.+?)' .*'(.+?)'/.exec(error.message) ?? [];
  if (specifier === undefined || name === undefined) return undefined;
  const statement = importPattern(specifier, name);
  for (const record of reached) {
    if (!record.requests.some((request) => request.specifier === specifier)) continue;
    const place = locate(record.text, statement);
    if (place.line > 0) return { record, ...place };
  }
  return undefined;
}

function importPattern(specifier: string, name: string): RegExp {
  const words =
    name === "default" ? "(?:(?<=import\\s+)\\w+|default)" : `${escapePattern(name)}(?![\\w$])`;
  return new RegExp(`(?<![\\w$])${words}(?=[^;"']*from\\s*["']${escapePattern(specifier)}["'])`);
}
