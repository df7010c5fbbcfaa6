/**
 * Runs the scripts of sections with the same bounds: one after the other through the gate, each with its streams connected, none
 * longer than its request.
 * @module
 */
import { tmpdir } from "node:os";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { OK, type Outcome } from "../outcome.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import { BodySpool } from "./body-spool.ts";
import { deliver, type Delivery, type LocalRedirect } from "./deliver.ts";
import { cgiEnvironment } from "./environment.ts";
import { logErrorLines } from "./error-lines.ts";
import { Gate } from "./gate.ts";
import { startProcess } from "./process-run.ts";
import { killGrace, type ScriptRun } from "./script-run.ts";
import type { Script } from "./script.ts";
import type { CgiSettings } from "./settings.ts";
import { ThreadPool } from "./thread-pool.ts";

/** One for each set of bounds. */
export class ScriptHost {
  readonly #timeout: number;
  readonly #threads: ThreadPool;
  readonly #gates: Readonly<Record<Script["kind"], Gate>>;
  readonly #running = new Set<ScriptRun>();

  constructor({ threads, processes, queue, timeout, memory }: CgiSettings) {
    this.#timeout = timeout;
    this.#threads = new ThreadPool(memory);
    this.#gates = { thread: new Gate(threads, queue), process: new Gate(processes, queue) };
  }

  /** Answers a request with what the script writes. Rejects with a `ModTsError`. */
  async serve(req: ApacheRequest, script: Script): Promise<Outcome> {
    const answer = await this.#answer(req, script);
    if (typeof answer === "number") return answer;
    // As if the client had asked for it, with a method that asks (httpd: mod_cgi). Only now that the script has left its place: where it
    // leads to may be a script that needs one.
    return req.internalRedirect(answer.path);
  }

  async #answer(req: ApacheRequest, script: Script): Promise<Outcome | LocalRedirect> {
    // The client goes, or the engine does not wait any longer: what has not begun then must not begin, and what runs is ended.
    const over = new AbortController();
    req.registerCleanup(() => over.abort());
    const signal = AbortSignal.any([req.signal, over.signal]);
    const leave = await this.#gates[script.kind].enter(signal);
    let spool: BodySpool | undefined;
    // A script that goes on after its answer keeps its place until it has gone.
    let whenGone = Promise.resolve();
    try {
      // Before the script is started: a body that is too large is none of its business.
      spool = spoolBody(req);
      const run = await this.#start(req, script);
      this.#running.add(run);
      whenGone = run.ended.then(() => void this.#running.delete(run));
      signal.addEventListener("abort", run.kill, { once: true });
      if (signal.aborted) run.kill();
      return await serveRun({ req, run, script: script.file, timeout: this.#timeout }, spool);
    } finally {
      void whenGone.then(leave);
      await spool?.close();
    }
  }

  /** Ends what runs, and waits for it as long as a process may take to end. */
  async close(): Promise<void> {
    const ends = [...this.#running].map((run) => run.ended);
    for (const run of this.#running) run.kill();
    await Promise.race([
      Promise.all([this.#threads.close(), ...ends]),
      sleep(2 * killGrace, undefined, { ref: false }),
    ]);
  }

  async #start(req: ApacheRequest, { kind, file }: Script): Promise<ScriptRun> {
    const env = cgiEnvironment(req);
    if (kind === "process") return startProcess(file, env);
    return this.#threads.run({ file, env, childTimeout: this.#timeout });
  }
}

function spoolBody(req: ApacheRequest): BodySpool | undefined {
  const { body, toolkit } = req[internals];
  if (!body.announced) return undefined;
  return new BodySpool(body.claim("mod_ts/cgi"), toolkit?.temporary ?? tmpdir());
}

async function serveRun(
  delivery: Delivery,
  spool: BodySpool | undefined,
): Promise<Outcome | LocalRedirect> {
  const { req, run, script } = delivery;
  const name = basename(script);
  void logErrorLines(run.stderr, (line) => req.logError(`${name}: ${line}`, "warn"));
  const fed = feed(run, spool);
  try {
    return await deliver(delivery);
  } catch (error) {
    // Nobody is there to be told.
    if (req.signal.aborted) return OK;
    throw (await Promise.race([fed, undefined])) ?? error;
  } finally {
    run.kill();
  }
}

/** Gives the script its input, and its end. Resolves with what is wrong with the body, which ends the script. */
async function feed(run: ScriptRun, spool: BodySpool | undefined): Promise<unknown> {
  if (!spool) return void run.stdin.end();
  await pipeline(spool, run.stdin).catch(() => {});
  if (spool.failure !== undefined) run.kill();
  return spool.failure;
}
