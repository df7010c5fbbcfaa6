/**
 * Log records, and their text in the format of Apache's error log, which the same tools read.
 *
 * The core publishes {@link LogRecord}s on a diagnostics channel; `log-output.ts` writes them.
 */
import { inspect } from "node:util";
import { attempt } from "./attempt.ts";
import { logChannel } from "./channels.ts";
import { escapeControls } from "./escape-controls.ts";
import { redact } from "./redact.ts";

const home = new URL("../", import.meta.url).href;

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
  /** Part of mod_ts, a key of `log.levels`. @default that of the code, else of the process */
  room?: string;
  /** Details for programs, which the message names for people: members of a line of JSON. */
  fields?: Readonly<Record<string, string | number>>;
}

/** Publishes a record; costs nothing without subscribers. */
export function log(
  level: LogLevel,
  message: string,
  details: Omit<LogRecord, "level" | "message"> = {},
): void {
  logChannel.publish({ level, message, ...details });
}

/**
 * Formats a record as httpd's default `ErrorLogFormat` does: `[Sun Nov 22 10:35:38.123456 2026]
 * [mod_ts:error] [pid 7] [client 192.0.2.7:52110] CODE: message [id …]`.
 *
 * Attack: clients choose parts of messages. Control characters are escaped, or one request could
 * write two lines.
 */
export function formatLogRecord(record: LogRecord, now: Date = new Date()): string {
  const head = `[${formatTime(now)}] [mod_ts:${record.level}] [pid ${process.pid}]`;
  const client = record.client ? ` [client ${record.client}]` : "";
  const code = record.code ? `${record.code}: ` : "";
  const id = record.uniqueId ? ` [id ${record.uniqueId}]` : "";
  return linesOf(record)
    .map((line, index) => `${head}${client} ${index === 0 ? code : "  "}${line}${id}\n`)
    .join("");
}

/** For a terminal: `10:35:38 error CODE: message`, and the lines of the stack without a prefix. */
export function formatShortLogRecord(record: LogRecord, now: Date = new Date()): string {
  const code = record.code ? `${record.code}: ` : "";
  const head = `${now.toTimeString().slice(0, 8)} ${record.level} ${code}`;
  return linesOf(record)
    .map((line, index) => `${index === 0 ? head : "  "}${line}\n`)
    .join("");
}

function linesOf({ message, error }: LogRecord): string[] {
  return [message, ...stackLines(error)].map((line) => escapeControls(redact(line)));
}

/** The message of an error, or the value itself. Never throws, as handlers may throw anything. */
export function textOf(thrown: unknown): string {
  return attempt(() => {
    if (thrown instanceof Error) return String(thrown.message || thrown.name);
    return typeof thrown === "object" ? inspect(thrown) : String(thrown);
  }, "something that cannot be shown");
}

/** The stacks of an error and its causes; bounded, as causes may be circular. */
export function stackLines(error: unknown, depth = 0): string[] {
  if (error === undefined) return [];
  if (!(error instanceof Error)) return `thrown: ${textOf(error)}`.split("\n");
  const own = [...withoutOwnTail(stackOf(error).split("\n")), ...errorDetails(error)];
  if (error.cause === undefined || depth === 5) return own;
  return [
    ...own,
    ...stackLines(error.cause, depth + 1).map((line, index) =>
      index === 0 ? `caused by ${line}` : line,
    ),
  ];
}

const shownElsewhere = new Set(["name", "message", "stack", "cause", "errors", "errno"]);

/**
 * What an error says beside its message, a line each: its own properties, such as `code` and
 * `detail` of a database, and the errors of an `AggregateError`. Bounded.
 */
export function errorDetails(error: unknown): string[] {
  // Our own message has all of it.
  if (!(error instanceof Error) || error.name === "ModTsError") return [];
  const message = textOf(error);
  const properties = Object.entries(error)
    .filter(([name, value]) => !shownElsewhere.has(name) && /^(?:str|num|boo)/.test(typeof value))
    .map(([name, value]) => `${name}: ${String(value).slice(0, 300)}`)
    .filter((line) => !message.includes(line.slice(line.indexOf(":") + 2)))
    .slice(0, 10);
  const { errors } = error as { errors?: unknown };
  const inner = Array.isArray(errors) ? errors.slice(0, 5) : [];
  return [...properties, ...inner.map((one, index) => `errors[${index}]: ${textOf(one)}`)];
}

/** A library may have put anything into `stack`, even a getter that throws. */
/** Of anything that was thrown, whatever its getters do. */
export function stackOf(error: Error): string {
  return attempt(() => String(error.stack ?? error), undefined) ?? textOf(error);
}

/** Our own frames at the end are the same for each request: they are omitted. */
function withoutOwnTail(stack: string[]): string[] {
  const last = stack.findLastIndex((line) => !line.includes(home) && !line.includes("node:"));
  return last > 0 ? stack.slice(0, last + 1) : stack;
}

function formatTime(now: Date): string {
  const [day, month, date, year] = now
    .toDateString()
    .replace(/(\w+) (\w+) (\d+) (\d+)/, "$1,$2,$3,$4")
    .split(",");
  const time = now.toTimeString().slice(0, 8);
  return `${day} ${month} ${date} ${time}.${String(now.getMilliseconds()).padStart(3, "0")} ${year}`;
}
