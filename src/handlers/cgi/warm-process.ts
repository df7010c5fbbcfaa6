/** Node.js process for one script, started before its request comes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { attempt } from "../../base/attempt.ts";
import { ModTsError } from "../../base/errors.ts";
import { type Child, followProcess } from "./process-run.ts";
import type { ScriptEnd, ScriptRun } from "./process-run.ts";
import { provideSource, type ScriptBuild, type SourceRequest } from "./script-sources.ts";

const program = fileURLToPath(new URL("./warm-main.cjs", import.meta.url));
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const publicModuleUrl = new URL(`../../index${extension}`, import.meta.url).href;

/** V8's limit does not count buffers and reports nothing; {@link watchMemory} comes first. */
const heapHeadroom = 4;

const memoryIntervalMs = 100;

/** For the last message of an ended process; a child of it may hold the channel open forever. */
const channelGraceMs = 250;

/** Attack: a script writes to the channel without end. A request holds two paths at most. */
const maxQuestionLength = 1_048_576;

export class WarmProcess {
  readonly #child: Child;
  readonly #channel: Socket;
  readonly #run: ScriptRun;
  readonly #memory: number;
  readonly #exit = Promise.withResolvers<ScriptEnd>();
  #failure: unknown;
  #ready = false;
  #build: ScriptBuild = {};

  /** Throws `MODTS_CGI_NOT_STARTED`. `memory` is in megabytes. */
  constructor(memory: number) {
    this.#memory = memory;
    const child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        `--max-old-space-size=${heapHeadroom * memory}`,
        program,
        publicModuleUrl,
      ],
      // Not the environment of the sidecar, which may hold passwords.
      { cwd: "/", env: {}, detached: true, stdio: ["pipe", "pipe", "pipe", "pipe"] },
    );
    this.#child = child as Child;
    this.#run = followProcess(this.#child, program);
    this.#channel = child.stdio[3] as Socket;
    // The end of the process is reported in any case.
    this.#channel.on("error", () => {});
    this.#listen().catch(() => {});
    // A process that waits for work must not keep its parent alive.
    this.#child.unref();
    for (const stream of this.#streams()) stream.unref();
  }

  /** Resolves when the process has ended. Never rejects. */
  get ended(): Promise<ScriptEnd> {
    return this.#run.ended;
  }

  /** Whether the process waits for its order. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Runs a script, as soon as the process is ready; once. */
  run(file: string, env: Record<string, string>, build: ScriptBuild = {}): ScriptRun {
    this.#build = build;
    this.#child.ref();
    for (const stream of this.#streams()) stream.ref();
    this.#channel.write(`${JSON.stringify({ file, env })}\n`);
    const stopWatch = watchMemory(this.#child.pid, this.#memory, () => {
      this.#failure ??= new ModTsError("MODTS_CGI_MEMORY", { script: file, limit: this.#memory });
      this.#child.kill("SIGKILL");
    });
    const gone = this.#run.ended.then(async (end) => {
      stopWatch();
      if (!this.#channel.closed) await Promise.race([once(this.#channel, "close"), grace()]);
      return end;
    });
    const ended = Promise.race([this.#exit.promise, gone]).then((end): ScriptEnd => {
      if (this.#failure === undefined || end.kind === "done") return end;
      return { kind: "broken", reason: "an uncaught error", error: this.#failure };
    });
    return { ...this.#run, ended };
  }

  /** Ends the process with all its children. */
  kill(): void {
    this.#child.ref();
    this.#run.kill();
  }

  #streams(): Socket[] {
    return this.#child.stdio.filter((stream) => stream !== null) as unknown as Socket[];
  }

  /** One message after the other: what a script writes without waiting stays in its socket. */
  async #listen(): Promise<void> {
    let pending = "";
    for await (const text of this.#channel.setEncoding("utf8")) {
      pending += text;
      if (pending.length > maxQuestionLength) return this.kill();
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) await this.#receive(parse(line));
    }
  }

  async #receive(message: Message | undefined): Promise<void> {
    if (message === undefined) return this.kill();
    if ("ready" in message) return void (this.#ready = true);
    if ("error" in message) return void (this.#failure ??= toError(message.error));
    if ("exit" in message) {
      const { exit } = message;
      const kind = exit === 0 ? "done" : "failed";
      return this.#exit.resolve({ kind, reason: `exit code ${String(exit)}` });
    }
    const { error, ...result } = await provideSource(message, this.#build);
    const sent = error === undefined ? result : { error: fromError(error) };
    this.#channel.write(`${JSON.stringify(sent)}\n`);
  }
}

const grace = (): Promise<void> => sleep(channelGraceMs, undefined, { ref: false });

type Message =
  | SourceRequest
  | { readonly ready: true }
  | { readonly error: unknown }
  | { readonly exit: unknown };

/** Undefined for what is no message: a script may write anything to the channel. */
function parse(text: string): Message | undefined {
  const message = attempt(() => JSON.parse(text) as Message | null, null);
  return typeof message === "object" ? (message ?? undefined) : undefined;
}

function fromError(thrown: unknown): object {
  const { name, message, stack } = thrown instanceof Error ? thrown : new Error(String(thrown));
  return { name, message, stack };
}

function toError(sent: unknown): Error {
  const { name, message, stack } = sent as Partial<Error>;
  const error = new Error(String(message));
  Object.defineProperty(error, "name", { value: String(name) });
  Object.defineProperty(error, "stack", { value: String(stack) });
  return error;
}

/**
 * Calls `exceed` once when the process holds more than `limit` megabytes of its own, buffers
 * included. Returns the function that stops watching. Only on Linux; elsewhere V8's limit is the
 * only one.
 */
function watchMemory(pid: number | undefined, limit: number, exceed: () => void): () => void {
  const timer = setInterval(() => {
    if (privateMemory(pid) <= limit) return;
    clearInterval(timer);
    exceed();
  }, memoryIntervalMs);
  return () => clearInterval(timer);
}

/** Megabytes; 0 for a process that has ended. */
function privateMemory(pid: number | undefined): number {
  const status = attempt(() => readFileSync(`/proc/${pid}/status`, "latin1"), "");
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}
