/**
 * The error log in Apache's own format, so that one eye and one tool read both logs.
 *
 * The core publishes {@link LogRecord}s on a diagnostics channel; {@link subscribeLog} writes them out.
 * @module
 */
import { inspect } from "node:util";
import { logChannel } from "./channels.ts";

/** Where mod_ts itself lies. */
const home = new URL("./", import.meta.url).href;

/** Apache's levels, most severe first (httpd directive `LogLevel`). */
export const logLevels = [
  "emerg",
  "alert",
  "crit",
  "error",
  "warn",
  "notice",
  "info",
  "debug",
] as const;

export type LogLevel = (typeof logLevels)[number];

/** One line for the error log. */
export interface LogRecord {
  level: LogLevel;
  message: string;
  /** Error code from the registry in `errors.ts`. */
  code?: string;
  /** Client address and port as Apache sees them, e.g. `192.0.2.7:52110`. */
  client?: string;
  /** Apache's unique id of the request, which its own log shows as `%L` or `%{UNIQUE_ID}e`. */
  uniqueId?: string;
  /** Logged with its stack, one line each. */
  error?: unknown;
}

/** Publishes a record; costs nothing while nobody subscribes. */
export function log(
  level: LogLevel,
  message: string,
  details: Omit<LogRecord, "level" | "message"> = {},
): void {
  logChannel.publish({ level, message, ...details });
}

/**
 * Formats a record as httpd's default `ErrorLogFormat` does:
 * `[Sun Nov 22 10:35:38.123456 2026] [mod_ts:error] [pid 7] [client 192.0.2.7:52110] CODE: message [id …]`.
 *
 * A client chooses parts of many messages: control characters are escaped, or one request could write two lines.
 */
export function formatLogRecord(record: LogRecord, now: Date = new Date()): string {
  const head = `[${formatTime(now)}] [mod_ts:${record.level}] [pid ${process.pid}]`;
  const client = record.client ? ` [client ${record.client}]` : "";
  const code = record.code ? `${record.code}: ` : "";
  const id = record.uniqueId ? ` [id ${record.uniqueId}]` : "";
  return [record.message, ...stackLines(record.error)]
    .map((line, index) => `${head}${client} ${index === 0 ? code : "  "}${escapeLine(line)}${id}\n`)
    .join("");
}

/** Writes every record at or above `level` to `write`, standard error by default. Returns the function that stops it. */
export function subscribeLog(
  level: LogLevel = "info",
  write: (text: string) => void = (text) => process.stderr.write(text),
): () => void {
  const threshold = logLevels.indexOf(level);
  const listener = (message: unknown): void => {
    const record = message as LogRecord;
    if (logLevels.indexOf(record.level) <= threshold) write(formatLogRecord(record));
  };
  logChannel.subscribe(listener);
  return () => logChannel.unsubscribe(listener);
}

/**
 * What was thrown, in words: the message of an error, or the value itself. Never throws: handlers throw anything, and a
 * log that fails on it would end the process.
 */
export function textOf(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return String(thrown.message || thrown.name);
    return typeof thrown === "object" ? inspect(thrown) : String(thrown);
  } catch {
    return "something that cannot be shown";
  }
}

/** The stack of an error and of what it was caused by; bounded, as a cause may point back at itself. */
function stackLines(error: unknown, depth = 0): string[] {
  if (error === undefined) return [];
  if (!(error instanceof Error)) return `thrown: ${textOf(error)}`.split("\n");
  const own = withoutOwnTail(stackOf(error).split("\n"));
  if (error.cause === undefined || depth === 5) return own;
  return [
    ...own,
    ...stackLines(error.cause, depth + 1).map((line, index) =>
      index === 0 ? `caused by ${line}` : line,
    ),
  ];
}

/** A library may have left anything in `stack`, a getter that throws included. */
function stackOf(error: Error): string {
  try {
    return String(error.stack ?? error);
  } catch {
    return textOf(error);
  }
}

/** The way from the socket to the handler is the same each time: frames of ours are left out where no others follow. */
function withoutOwnTail(stack: string[]): string[] {
  const last = stack.findLastIndex((line) => !line.includes(home) && !line.includes("node:"));
  return last > 0 ? stack.slice(0, last + 1) : stack;
}

function escapeLine(line: string): string {
  return line.replace(
    /[\x00-\x08\x0a-\x1f\x7f]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

function formatTime(now: Date): string {
  const [day, month, date, year] = now
    .toDateString()
    .replace(/(\w+) (\w+) (\d+) (\d+)/, "$1,$2,$3,$4")
    .split(",");
  const time = now.toTimeString().slice(0, 8);
  return `${day} ${month} ${date} ${time}.${String(now.getMilliseconds()).padStart(3, "0")} ${year}`;
}
