/** Scripts of all sections with the same limits: queue, streams, lifetime. */
import { availableParallelism, tmpdir } from "node:os";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError } from "../../base/errors.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import { bodyOf } from "../../request/body/body.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { BodySpool } from "./body-spool.ts";
import { deliver, type Delivery } from "./deliver.ts";
import { cgiEnvironment } from "./environment.ts";
import { logErrorLines } from "./error-lines.ts";
import { ConcurrencyLimiter } from "../../base/concurrency-limiter.ts";
import { killGraceMs, type ScriptRun, startProcess } from "./process-run.ts";
import type { Script } from "./script.ts";
import { ScriptSources } from "./script-sources.ts";
import { WarmPool } from "./warm-pool.ts";
import type { Dictionary } from "../../request/exchange.ts";
import { SectionOptions } from "../../base/options.ts";

/** Limits of scripts, for each worker process. Sections with the same limits share them. */
export interface CgiSettings {
  /** Scripts that run at the same time. */
  readonly processes: number;
  /** Processes that are kept ready for scripts in TypeScript and JavaScript, at most. */
  readonly warm: number;
  /** Requests that may wait. */
  readonly queue: number;
  /** Milliseconds without output after which a script is ended. */
  readonly timeout: number;
  /** Megabytes of private memory of a script in TypeScript or JavaScript. */
  readonly memory: number;
}

/**
 * Throws `MODTS_BAD_OPTION`. Scripts time out before the engine gives up after `handlerTimeout` ms.
 */
export function readSettings(values: Dictionary, handlerTimeout: number): CgiSettings {
  const options = new SectionOptions(values, "cgi");
  options.allowOnly("processes", "warm", "queue", "timeout", "memory");
  const few = Math.max(4, 2 * availableParallelism());
  const timeout = Math.max(1, Math.floor(handlerTimeout * 0.9));
  return {
    processes: options.number("processes", 4 * few, [1, 4096]),
    warm: options.number("warm", few, [0, 256]),
    queue: options.number("queue", 100, [0, 10_000]),
    timeout: options.number("timeout", timeout, [1, 86_400_000]),
    memory: options.number("memory", 256, [32, 65_536]),
  };
}

/** One for each set of limits. */
export class ScriptHost {
  readonly #timeout: number;
  readonly #sources: ScriptSources;
  readonly #warm: WarmPool;
  readonly #limiter: ConcurrencyLimiter;
  readonly #running = new Set<ScriptRun>();

  constructor(settings: CgiSettings, sources: ScriptSources = new ScriptSources(undefined)) {
    const { processes, warm, queue, timeout, memory } = settings;
    this.#sources = sources;
    this.#timeout = timeout;
    this.#warm = new WarmPool(memory, warm);
    this.#limiter = new ConcurrencyLimiter({ limit: processes, queue, busy: "MODTS_CGI_BUSY" });
  }

  /** Sends what the script writes. Rejects with a `ModTsError`. */
  async serve(req: ApacheRequest, script: Script): Promise<Outcome> {
    const result = await this.#serve(req, script);
    if (typeof result === "number") return result;
    // As if the client had requested it with GET (httpd: mod_cgi). The place is free by now: the
    // target may be a script that needs one.
    return req.internalRedirect(result);
  }

  async #serve(req: ApacheRequest, script: Script): Promise<Outcome | string> {
    // When the client leaves or the engine gives up, a waiting script must not start.
    const over = new AbortController();
    req.registerCleanup(() => over.abort());
    const signal = AbortSignal.any([req.signal, over.signal]);
    const leave = await this.#limiter.enter(signal);
    let spool: BodySpool | undefined;
    // A script that continues after its response keeps its place until it has ended.
    let whenGone = Promise.resolve();
    try {
      // Before the script is started: a body that is too large must not start one.
      spool = spoolBody(req);
      const run = await this.#start(req, script, signal);
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

  /** Ends all scripts, and waits for them as long as a process may take to end. */
  async close(): Promise<void> {
    const ends = [...this.#running].map((run) => run.ended);
    for (const run of this.#running) run.kill();
    await Promise.race([
      Promise.all([this.#warm.close(), ...ends]),
      sleep(2 * killGraceMs, undefined, { ref: false }),
    ]);
  }

  async #start(
    req: ApacheRequest,
    { kind, file }: Script,
    signal: AbortSignal,
  ): Promise<ScriptRun> {
    const env = cgiEnvironment(req);
    if (kind === "program") return startProcess(file, env);
    const build = await this.#sources.prepare(file);
    // A large script compiles for seconds.
    if (signal.aborted) throw new ModTsError("MODTS_CLIENT_GONE");
    return this.#warm.run(file, env, build);
  }
}

function spoolBody(req: ApacheRequest): BodySpool | undefined {
  const { exchange, toolkit } = req[internals];
  if (!exchange.hasBody) return undefined;
  return new BodySpool(bodyOf(req[internals]).claim("mod_ts/cgi"), toolkit?.temporary ?? tmpdir());
}

async function serveRun(
  delivery: Delivery,
  spool: BodySpool | undefined,
): Promise<Outcome | string> {
  const { req, run, script } = delivery;
  const name = basename(script);
  void logErrorLines(run.stderr, (line) => req.logError(`${name}: ${line}`, "warn"));
  const fed = feed(run, spool);
  try {
    return await deliver(delivery);
  } catch (error) {
    // The client has left.
    if (req.signal.aborted) return OK;
    throw (await Promise.race([fed, undefined])) ?? error;
  } finally {
    run.kill();
  }
}

/** Writes the body to the script's input. Resolves with the error of the body, if any. */
async function feed(run: ScriptRun, spool: BodySpool | undefined): Promise<unknown> {
  if (!spool) return void run.stdin.end();
  await pipeline(spool, run.stdin).catch(() => {});
  if (spool.failure !== undefined) run.kill();
  return spool.failure;
}
