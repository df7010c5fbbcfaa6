/**
 * One thread for one script, seen from the worker: started ahead of its time, so that it is ready when a request comes.
 * @module
 */
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { ModTsError } from "../errors.ts";
import { watchMemory } from "./memory-watch.ts";
import { endGroup, forgetGroup, watchGroup } from "./process-groups.ts";
import type { ScriptEnd, ScriptRun } from "./script-run.ts";
import { answerSource, type SourceQuestion } from "./script-sources.ts";
import { compileThreadCode } from "./thread-code.ts";
import {
  answerWord,
  type RunOrder,
  type ThreadData,
  type ThreadMessage,
} from "./thread-protocol.ts";
import { ThreadInput, ThreadOutput } from "./thread-streams.ts";

const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const entry = new URL(`./thread-main${extension}`, import.meta.url).href;
const face = new URL(`../index${extension}`, import.meta.url).href;
let code: Record<string, string> | undefined;

/**
 * Serves our modules from memory, where they are TypeScript, and begins. A text that is evaluated finds `require` and its kin among the
 * globals, where a script would find them, too.
 */
const starter = `
const { registerHooks } = require("node:module");
const { code, entry } = require("node:worker_threads").workerData;
const load = (url, context, next) =>
  Object.hasOwn(code, url) ? { format: "module", source: code[url], shortCircuit: true } : next(url, context);
if (Object.hasOwn(code, entry)) registerHooks({ load });
for (const name of ["require", "module", "exports", "__filename", "__dirname"]) delete globalThis[name];
import(entry);
`;

/** V8 ends the whole process when one step takes a thread far over its limit: that limit is one that nobody should reach. */
const heapHeadroom = 4;

/** A thread that is ready, or soon will be. */
export class ScriptThread {
  /** Resolves when the thread is gone. Never rejects. */
  readonly gone: Promise<ScriptEnd>;
  readonly #worker: Worker;
  readonly #messages = new MessageChannel();
  readonly #input = new MessageChannel();
  readonly #sources = new MessageChannel();
  readonly #control = new Int32Array(new SharedArrayBuffer(12));
  readonly #memory: number;
  readonly #ready: Promise<void>;
  #error: unknown;
  #killed = false;

  /** @param memory megabytes that the script may hold */
  constructor(memory: number) {
    this.#memory = memory;
    this.#worker = this.#start();
    this.gone = new Promise((resolve) => {
      this.#worker.once("exit", (exitCode) => resolve(this.#judge(exitCode)));
    });
    this.#answerQuestions();
    this.#ready = this.#waitUntilReady();
    this.#ready.catch(() => {});
  }

  /** Runs a script, as soon as the thread is ready; once. Rejects with `MODTS_CGI_NOT_STARTED`. */
  async run(order: RunOrder): Promise<ScriptRun> {
    this.#worker.ref();
    await this.#ready;
    const outputs = { 1: new ThreadOutput(this.#control), 2: new ThreadOutput(this.#control) };
    const stdin = new ThreadInput(this.#input.port1, this.#control);
    const children = new Set<number>();
    const receive = ({ stream, chunk, group }: ThreadMessage): void => {
      if (stream) outputs[stream].accept(chunk);
      if (group !== undefined) note(children, group);
    };
    const { port1 } = this.#messages;
    port1.on("message", receive).postMessage(order);
    const stopWatch = watchMemory(this.#worker, this.#memory, () => {
      const parameters = { script: order.file, limit: this.#memory };
      this.kill(new ModTsError("MODTS_CGI_MEMORY", parameters));
    });
    const ended = this.gone.then((end) => {
      stopWatch();
      // The news of the end may overtake what the script wrote last.
      for (let last = receiveMessageOnPort(port1); last; last = receiveMessageOnPort(port1)) {
        receive(last.message as ThreadMessage);
      }
      outputs[1].accept();
      outputs[2].accept();
      stdin.destroy();
      port1.close();
      // What a script leaves in the background when it ends by itself may stay there.
      for (const group of children) (end.kind === "broken" ? endGroup : forgetGroup)(group);
      return end;
    });
    return { stdin, stdout: outputs[1], stderr: outputs[2], ended, kill: () => this.kill() };
  }

  /** Ends the thread, in the middle of whatever it does. */
  kill(error?: unknown): void {
    this.#error ??= error;
    this.#killed = true;
    void this.#worker.terminate();
  }

  #start(): Worker {
    const ports = {
      port: this.#messages.port2,
      input: this.#input.port2,
      source: this.#sources.port2,
    };
    code ??= compileThreadCode(entry);
    const workerData: ThreadData = { ...ports, control: this.#control, entry, face, code };
    const worker = new Worker(starter, {
      eval: true,
      workerData,
      transferList: Object.values(ports),
      // Not the sidecar's environment, which may hold passwords, nor its flags.
      env: {},
      execArgv: ["--disable-warning=ExperimentalWarning"],
      // Nobody reads Node's own streams: the thread puts its own in their place.
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: Math.max(1024, heapHeadroom * this.#memory) },
    });
    worker.on("error", (error) => (this.#error ??= error));
    // A thread that waits for work must not keep a process that is done.
    worker.unref();
    return worker;
  }

  #answerQuestions(): void {
    const { port1 } = this.#sources;
    port1.on("message", (question: SourceQuestion) => {
      port1.postMessage(answerSource(question));
      Atomics.add(this.#control, answerWord, 1);
      Atomics.notify(this.#control, answerWord);
    });
    port1.unref();
  }

  #waitUntilReady(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#messages.port1.once("message", () => resolve());
    this.#messages.port1.unref();
    void this.gone.then(({ reason, error }) => {
      const parameters = { script: "a thread", reason };
      reject(new ModTsError("MODTS_CGI_NOT_STARTED", parameters, { cause: error }));
    });
    return promise;
  }

  #judge(exitCode: number): ScriptEnd {
    const error = this.#error;
    if (error !== undefined) return { kind: "broken", reason: "an error", error };
    if (this.#killed) return { kind: "broken", reason: "the end of its thread" };
    return { kind: exitCode === 0 ? "done" : "failed", reason: `exit code ${exitCode}` };
  }
}

/** A thread tells of each group twice. */
function note(children: Set<number>, group: number): void {
  if (children.delete(group)) return void forgetGroup(group);
  children.add(group);
  watchGroup(group);
}
