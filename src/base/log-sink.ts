/**
 * Destinations of log lines: standard error or a file.
 *
 * Attack: a full disk, a closed pipe or a reader that stops would throw at, block or fill the
 * memory of the process that logs. So a line that cannot be written is lost and counted.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { attempt } from "./attempt.ts";
import { counter } from "./counts.ts";

export interface LogSink {
  readonly losses: Pick<Losses, "take">;
  /** Never throws, and never waits for a reader. */
  write(line: string): void;
  /** Opens the file again, after logrotate has renamed it. */
  reopen(): void;
  close(): void;
}

export interface LostLines {
  count: number;
  /** Of the last one, e.g. `ENOSPC`. */
  reason: string;
}

/** Bytes that wait for a slow reader; more are lost. */
const maxBufferedBytes = 1024 ** 2;

/** The error stream of the process: directly if it is a file, through Node.js if a reader may be slow. */
export function openStandardError(fd = 2, stream: NodeJS.WriteStream = process.stderr): LogSink {
  const stat = attempt(() => fstatSync(fd), undefined);
  const isFile = stat?.isFile() || (stat?.isCharacterDevice() && !isatty(fd));
  return isFile ? new FileSink(() => fd, false) : new StreamSink(stream);
}

/**
 * A file to append to, created if missing.
 * @throws the error of `open(2)`
 */
export function openLogFile(file: string): LogSink {
  // Non-blocking: a named pipe without a reader must not block the process.
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  return new FileSink(
    () => openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640),
    true,
  );
}

/**
 * Attack: `console.log` of a handler into a closed pipe or a full disk is an uncaught exception; and
 * the end of a socket, such as that of journald, is its end for every process of the service.
 */
export function protectStreams(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => {});
    const end = (last?: unknown): NodeJS.WriteStream => {
      if (typeof last === "string" || last instanceof Uint8Array) stream.write(last);
      return stream;
    };
    Object.assign(stream, { end, destroy: () => stream });
  }
}

/** Counts what was lost. */
class Losses {
  #count = 0;
  #reason = "";
  #isLosing = false;

  add(error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    this.#count += 1;
    counter.addEvent("log_lines_lost");
    this.#reason = code ?? message;
    this.#isLosing = true;
  }

  end(): void {
    this.#isLosing = false;
  }

  /** Lines lost since the last call; undefined while lines are still being lost. */
  take(): LostLines | undefined {
    if (this.#count === 0 || this.#isLosing) return undefined;
    const lost = { count: this.#count, reason: this.#reason };
    this.#count = 0;
    return lost;
  }
}

class FileSink implements LogSink {
  readonly #open: () => number;
  readonly #isOwn: boolean;
  readonly losses: Losses = new Losses();
  #fd: number;
  /** The disk was full in the middle of a line. */
  #isTorn = false;

  constructor(open: () => number, isOwn: boolean) {
    this.#open = open;
    this.#isOwn = isOwn;
    this.#fd = open();
  }

  write(line: string): void {
    const bytes = Buffer.from(this.#isTorn ? `\n${line}` : line);
    let done = 0;
    try {
      while (done < bytes.length) done += writeSync(this.#fd, bytes, done);
      this.#isTorn = false;
      this.losses.end();
    } catch (error) {
      this.#isTorn ||= done > 0;
      this.losses.add(error);
    }
  }

  reopen(): void {
    if (!this.#isOwn) return;
    try {
      const old = this.#fd;
      this.#fd = this.#open();
      closeSync(old);
    } catch (error) {
      this.losses.add(error);
    }
  }

  close(): void {
    if (this.#isOwn) attempt(() => closeSync(this.#fd), undefined);
  }
}

class StreamSink implements LogSink {
  readonly #stream: NodeJS.WriteStream;
  readonly losses: Losses = new Losses();

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  write(line: string): void {
    if (this.#stream.writableLength > maxBufferedBytes) {
      return this.losses.add(new Error("the reader is slow"));
    }
    this.#stream.write(line, (error) => (error ? this.losses.add(error) : this.losses.end()));
  }

  reopen(): void {}
  close(): void {}
}
