/** The log of a process: which records are written, in which format, and where. */
import { logChannel } from "./channels.ts";
import { ModTsError, roomOf, type LogRoom } from "./errors.ts";
import { escapeControlsInJson } from "./escape-controls.ts";
import {
  formatLogRecord,
  formatShortLogRecord,
  type LogLevel,
  logLevels,
  type LogRecord,
  stackLines,
} from "./log.ts";
import { type LogSink, openLogFile, openStandardError } from "./log-sink.ts";
import { redact } from "./redact.ts";
import { Repeats } from "./repeats.ts";

export type LogFormat = "json" | "text" | "short";

export interface LogSettings {
  level: LogLevel;
  /** By part of mod_ts, in place of `level`. @default {} */
  levels?: Partial<Record<LogRoom, LogLevel>>;
  /** @default "text" */
  format?: LogFormat;
  /** Absolute path; empty: standard error. @default "" */
  file?: string;
}

/** What is known about every line of a process. */
export interface LogSource {
  /** Of lines without an error code. */
  room: LogRoom;
  /** Members of each line of JSON, e.g. the pool. */
  fields?: Readonly<Record<string, string | number>>;
}

export interface LogOutput {
  /** Opens the file again, after logrotate has renamed it. */
  reopen(): void;
  close(): void;
}

type Format = (record: LogRecord & { room: string }) => string;

/** Equal lines within a window; more are counted. */
const repeats = { most: 10, window: 10_000 } as const;

/** Writes the records of this process from now on. A file that cannot be opened is reported on standard error. */
export async function openLog(
  settings: LogSettings,
  source: LogSource,
  standardError: () => LogSink = openStandardError,
): Promise<LogOutput> {
  const format = await createFormat(settings.format, source);
  const { sink, failure } = openSink(settings.file, standardError);
  const output = new Output(settings, source, format, sink);
  if (failure) output.write(failure);
  return output;
}

function openSink(file = "", standardError: () => LogSink): { sink: LogSink; failure?: LogRecord } {
  if (!file) return { sink: standardError() };
  try {
    return { sink: openLogFile(file) };
  } catch (error) {
    const { message: reason } = error as Error;
    const { level, message, code } = new ModTsError("MODTS_LOG_FILE", { file, reason });
    return { sink: standardError(), failure: { level, message, code } };
  }
}

class Output implements LogOutput {
  readonly #source: LogSource;
  readonly #format: Format;
  readonly #sink: LogSink;
  readonly #threshold: number;
  readonly #thresholds: ReadonlyMap<string, number>;
  readonly #repeats = new Repeats<LogRecord>({
    ...repeats,
    report: (first, more) => this.write(countedRecord(first, more)),
  });
  readonly #listener = (message: unknown): void => this.#receive(message as LogRecord);
  readonly #flush = (): void => this.#repeats.flush();

  constructor(settings: LogSettings, source: LogSource, format: Format, sink: LogSink) {
    this.#source = source;
    this.#format = format;
    this.#sink = sink;
    this.#threshold = logLevels.indexOf(settings.level);
    const levels = Object.entries(settings.levels ?? {});
    this.#thresholds = new Map(levels.map(([room, level]) => [room, logLevels.indexOf(level)]));
    logChannel.subscribe(this.#listener);
    process.on("exit", this.#flush);
  }

  write(record: LogRecord): void {
    this.#sink.write(this.#format({ ...record, room: this.#roomOf(record) }));
    const lost = this.#sink.losses.take();
    if (lost) {
      const message = `${lost.count} log lines were lost: ${lost.reason}`;
      this.#sink.write(this.#format({ level: "warn", message, room: this.#source.room }));
    }
  }

  reopen(): void {
    this.#sink.reopen();
  }

  close(): void {
    this.#repeats.flush();
    logChannel.unsubscribe(this.#listener);
    process.off("exit", this.#flush);
    this.#sink.close();
  }

  #receive(record: LogRecord): void {
    const threshold = this.#thresholds.get(this.#roomOf(record)) ?? this.#threshold;
    if (logLevels.indexOf(record.level) > threshold) return;
    // Lines of handlers have no code: each of them is the author's own.
    const { code, message } = record;
    if (code === undefined || this.#repeats.admits(`${code} ${message}`, record)) {
      this.write(record);
    }
  }

  #roomOf({ room, code }: LogRecord): string {
    return room ?? (code === undefined ? undefined : roomOf(code)) ?? this.#source.room;
  }
}

function countedRecord({ level, code, message }: LogRecord, more: number): LogRecord {
  const { window } = repeats;
  return {
    level,
    ...(code !== undefined && { code }),
    message: `${more} more in the last ${window / 1000} s: ${message}`,
    fields: { more },
  };
}

function createFormat(name: LogFormat = "text", source: LogSource): Format | Promise<Format> {
  if (name === "json") return createJsonFormat(source);
  return name === "short" ? formatShortLogRecord : formatLogRecord;
}

/** One JSON object a line; control characters are escaped by JSON itself. */
async function createJsonFormat({ fields }: LogSource): Promise<Format> {
  const { pino, stdTimeFunctions } = await import("pino");
  const severities = logLevels.map((level, index) => [level, (logLevels.length - index) * 10]);
  let line = "";
  const logger = pino(
    {
      level: "debug",
      customLevels: Object.fromEntries(severities) as Record<LogLevel, number>,
      useOnlyCustomLevels: true,
      base: { pid: process.pid, ...fields },
      messageKey: "message",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    { write: (text) => void (line = escapeControlsInJson(text)) },
  );
  return ({ level, message, room, code, client, uniqueId, error, fields: more }) => {
    const stack = error === undefined ? undefined : redact(stackLines(error).join("\n"));
    logger[level]({ room, code, client, id: uniqueId, ...more, stack }, redact(message));
    return line;
  };
}
