/**
 * Descriptors 0, 1 and 2 of a script in a thread, for those who reach them by `node:fs` and not by `process.stdin` and the like.
 * @module
 */
import fs from "node:fs";
import { type AnyFunction, type Functions, replaceFunction } from "./replace-function.ts";
import type { StandardInput } from "./thread-input.ts";
import type { StandardOutput } from "./thread-output.ts";

/** The script's streams. */
export interface StandardStreams {
  readonly stdin: StandardInput;
  readonly stdout: StandardOutput;
  readonly stderr: StandardOutput;
}

/**
 * Leads them to the script's own streams. Those of the worker are its log and its supervisor's: a script that writes there would forge
 * lines of the log.
 */
export function adoptDescriptors(streams: StandardStreams): void {
  for (const api of [fs, fs.promises] as unknown as Functions[]) {
    replaceReads(api, streams.stdin);
    replaceWrites(api, streams);
  }
}

function replaceReads(api: Functions, stdin: StandardInput): void {
  replaceFunction(api, "readFileSync", (original, args) =>
    isInput(args[0]) ? readAll(stdin, args[1]) : original(...args),
  );
  replaceFunction(api, "readSync", (original, args) =>
    args[0] === 0 ? readInto(stdin, args) : original(...args),
  );
  replaceFunction(api, "readFile", (original, args) => {
    if (!isInput(args[0])) return original(...args);
    const callback = args.at(-1);
    const content = readAll(stdin, args[1]);
    if (typeof callback !== "function") return Promise.resolve(content);
    return process.nextTick(callback as AnyFunction, null, content);
  });
}

function isInput(file: unknown): boolean {
  return file === 0 || file === "/dev/stdin";
}

function replaceWrites(api: Functions, { stdout, stderr }: StandardStreams): void {
  const outputs = new Map<unknown, StandardOutput>([
    [1, stdout],
    ["/dev/stdout", stdout],
    [2, stderr],
    ["/dev/stderr", stderr],
  ]);
  for (const name of ["writeFileSync", "appendFileSync", "writeSync"]) {
    replaceFunction(api, name, (original, args) => {
      const output = outputs.get(args[0]);
      if (!output) return original(...args);
      const bytes = toBytes(args);
      output.writeNow(bytes);
      return name === "writeSync" ? bytes.length : undefined;
    });
  }
}

function readAll(stdin: StandardInput, options: unknown): Buffer | string {
  const chunks: Uint8Array[] = [];
  for (let chunk = stdin.readNow(Infinity); chunk.length > 0; chunk = stdin.readNow(Infinity)) {
    chunks.push(chunk);
  }
  const encoding =
    typeof options === "string" ? options : (options as { encoding?: string } | null)?.encoding;
  const content = Buffer.concat(chunks);
  return encoding ? content.toString(encoding as BufferEncoding) : content;
}

/** `readSync(fd, buffer, offset, length, position)` or `readSync(fd, buffer, { offset, length })`. */
function readInto(stdin: StandardInput, [, target, second, third]: unknown[]): number {
  const view = target as Uint8Array;
  const named =
    typeof second === "object" ? (second as { offset?: number; length?: number }) : undefined;
  const offset = named?.offset ?? (typeof second === "number" ? second : 0);
  const length = named?.length ?? (typeof third === "number" ? third : view.byteLength - offset);
  const bytes = stdin.readNow(length);
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes, offset);
  return bytes.length;
}

/** `writeSync(fd, string, position, encoding)`, `writeSync(fd, buffer, offset, length)`, `writeFileSync(fd, data, options)`. */
function toBytes([, data, second, third]: unknown[]): Uint8Array {
  if (typeof data === "string") {
    const encoding = [third, second].find((value) => typeof value === "string") ?? "utf8";
    return Buffer.from(data, encoding as BufferEncoding);
  }
  const view = data as NodeJS.ArrayBufferView;
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const offset = typeof second === "number" ? second : 0;
  return bytes.subarray(offset, typeof third === "number" ? offset + third : undefined);
}
