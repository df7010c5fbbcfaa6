/** Build errors of user modules, with their place in the author's file. */
import { DeadlineError } from "../base/attempt.ts";
import { isModTsError, ModTsError } from "../base/errors.ts";

export interface SourcePosition {
  /** Absolute path. */
  file: string;
  /** Counted from 1; 0 when only the file is known. */
  line: number;
  /** Counted from 1, in UTF-16 units; 0 when unknown. */
  column: number;
}

/** Cause of `MODTS_BUILD_FAILED` and `MODTS_BUILD_TIMEOUT`; its own `cause` is the original. */
export class BuildError extends Error implements SourcePosition {
  override readonly name = "BuildError";
  /** The message without the place. */
  readonly reason: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly #source: string | undefined;

  /** `source` is the built text, for the code frame. */
  constructor(
    reason: string,
    position: SourcePosition,
    options: { source?: string | undefined; cause?: unknown } = {},
  ) {
    super(
      `${reason} (${formatPosition(position)})`,
      "cause" in options ? { cause: options.cause } : {},
    );
    this.reason = reason;
    this.file = position.file;
    this.line = position.line;
    this.column = position.column;
    this.#source = options.source;
    // Frames in the loader tell an author nothing; the log shows the code instead.
    this.stack = [`${this.name}: ${this.message}`, this.frame].filter(Boolean).join("\n");
  }

  /** The built text, if readable. */
  get source(): string | undefined {
    return this.#source;
  }

  /** Lines around the place, the line itself marked; empty when unknown. */
  get frame(): string {
    return this.#source === undefined || this.line === 0
      ? ""
      : codeFrame(this.#source, this.line, this.column);
  }
}

/** For `catch`: throws every other error again. */
export function asBuildError(error: unknown): BuildError {
  if (error instanceof BuildError) return error;
  throw error;
}

/** `file:line:column`, as far as known. */
export function formatPosition({ file, line, column }: SourcePosition): string {
  if (line === 0) return file;
  return column === 0 ? `${file}:${line}` : `${file}:${line}:${column}`;
}

/** Removes the frames of an error thrown on behalf of a user's line: they are internal. */
export function withoutFrames<T>(error: T): T {
  if (error instanceof Error) error.stack = `${error.name}: ${error.message}`;
  return error;
}

/** Place of a text in a source, counted from 1; 0 when missing. */
export function locate(
  source: string,
  search: string | RegExp,
): Pick<SourcePosition, "line" | "column"> {
  const index = typeof search === "string" ? source.indexOf(search) : source.search(search);
  return index < 0 ? { line: 0, column: 0 } : positionAt(source, index);
}

/** Place of a specifier. Includes of pages may lack the `./` of an import. */
export function locateImport(
  source: string,
  specifier: string,
): Pick<SourcePosition, "line" | "column"> {
  const place = locate(source, specifier);
  return place.line > 0 ? place : locate(source, specifier.replace(/^\.\//, ""));
}

/** Escapes text for a pattern of {@link locate}. */
export function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

/** Line and column, counted from 1, of a UTF-16 index. */
export function positionAt(source: string, index: number): Pick<SourcePosition, "line" | "column"> {
  const before = source.slice(0, index).split("\n");
  return { line: before.length, column: (before.at(-1) as string).length + 1 };
}

function codeFrame(source: string, line: number, column: number): string {
  const lines = source.split(/\r?\n/);
  const last = Math.min(lines.length, line + 2);
  const width = String(last).length;
  const frame: string[] = [];
  for (let number = Math.max(1, line - 2); number <= last; number++) {
    const mark = number === line ? ">" : " ";
    frame.push(`${mark} ${String(number).padStart(width)} | ${lines[number - 1] ?? ""}`);
    if (number === line && column > 0) {
      frame.push(`  ${" ".repeat(width)} | ${" ".repeat(column - 1)}^`);
    }
  }
  return frame.join("\n");
}

/** A compilation, or its error thrown. */
export function orThrow<T>(result: T | BuildError): T {
  if (result instanceof BuildError) throw result;
  return result;
}

/** What a failed build of an entry is for its requests; `limit` is the time that it had. */
export function toModTsError(error: unknown, file: string, limit: number): ModTsError {
  if (isModTsError(error)) return error;
  const isLate = error instanceof BuildError && error.cause instanceof DeadlineError;
  const reason = error instanceof Error ? error.message : String(error);
  return isLate
    ? new ModTsError("MODTS_BUILD_TIMEOUT", { file, limit }, { cause: error })
    : new ModTsError("MODTS_BUILD_FAILED", { file, reason }, { cause: error });
}
