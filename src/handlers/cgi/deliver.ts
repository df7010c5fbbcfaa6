/** Response of a script: its output is parsed, checked and sent as it comes. */
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError } from "../../base/errors.ts";
import type { Outcome } from "../../base/outcome.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { logFailure } from "../../engine/respond.ts";
import { adoptHead, BadHead, HeaderParser, type ScriptHead } from "./script-header.ts";
import type { ScriptEnd, ScriptRun } from "./process-run.ts";

/** Output is flushed when no more comes for this time; written in one go, it keeps its length. */
const flushDelayMs = 20;

/** A background process may hold the output open after the end of its script. */
const endGraceMs = 250;

export interface Delivery {
  readonly req: ApacheRequest;
  readonly run: ScriptRun;
  /** Absolute path. */
  readonly script: string;
  /** Milliseconds that the script may be silent. */
  readonly timeout: number;
}

/**
 * Sends the output as it comes, or returns the path that is to respond in its place. Rejects with
 * `MODTS_CGI_BAD_HEADER`, `MODTS_CGI_NPH`, `MODTS_CGI_TIMEOUT`, `MODTS_CGI_DIED`, …
 */
export async function deliver(delivery: Delivery): Promise<Outcome | string> {
  const { req } = delivery;
  const chunks = readInTime(delivery);
  const head = await readHead(chunks, delivery);
  const { outcome, hasBody, redirect } = adopt(head, delivery);
  const body = hasBody ? new AnnouncedBody(req) : undefined;
  await body?.write(head.rest);
  for (;;) {
    const chunk = await nextOrFlush(chunks, req, hasBody);
    if (!chunk) break;
    await body?.write(chunk);
  }
  const ending = await requireGoodEnd(delivery);
  body?.requireWhole();
  if (ending?.kind === "failed") {
    const { script } = delivery;
    logFailure(new ModTsError("MODTS_CGI_EXIT", { script, reason: ending.reason }), req);
  }
  return redirect ?? outcome;
}

type Chunks = AsyncGenerator<Buffer, void>;

/** The output. Time that the client takes to send or receive is not the script's silence. */
async function* readInTime({ req, run, script, timeout }: Delivery): Chunks {
  const { exchange } = req[internals];
  const output = run.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const expired = (): ModTsError => new ModTsError("MODTS_CGI_TIMEOUT", { script, limit: timeout });
  let hasEnded = false;
  let startGracePeriod: (() => void) | undefined;
  void run.ended.then(() => {
    hasEnded = true;
    startGracePeriod?.();
  });
  for (;;) {
    const silence = Promise.withResolvers<typeof end>();
    let { received } = exchange;
    const look = (): void => {
      // mod_reqtimeout limits how slow a client may be.
      if (exchange.received === received) return silence.reject(expired());
      received = exchange.received;
    };
    let timer = setInterval(look, timeout);
    startGracePeriod = () => {
      clearInterval(timer);
      timer = setInterval(() => silence.resolve(end), endGraceMs);
    };
    if (hasEnded) startGracePeriod();
    let part: IteratorResult<Buffer, void>;
    try {
      // A torn output has ended; the end of the script says why.
      const next = output.next().catch(() => end);
      part = await Promise.race([next, silence.promise]);
    } finally {
      startGracePeriod = undefined;
      clearInterval(timer);
    }
    if (part.done) return;
    yield part.value;
  }
}

const end = { done: true, value: undefined } as const;

async function readHead(chunks: Chunks, delivery: Delivery): Promise<ScriptHead> {
  const parser = new HeaderParser();
  for (;;) {
    const { done, value } = await chunks.next();
    if (done) break;
    const head = reporting(delivery, () => parser.push(value));
    if (head) return head;
  }
  const ending = await requireGoodEnd(delivery);
  const written = parser.untouched ? "nothing" : "no complete header";
  throw badHeader(
    delivery,
    `the script wrote ${written} before its end${ending ? ` (${ending.reason})` : ""}`,
  );
}

function adopt(head: ScriptHead, delivery: Delivery): ReturnType<typeof adoptHead> {
  return reporting(delivery, () => adoptHead(delivery.req, head));
}

function reporting<T>(delivery: Delivery, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof BadHead)) throw error;
    const { script } = delivery;
    if (error.nph) throw new ModTsError("MODTS_CGI_NPH", { script, reason: error.message });
    throw badHeader(delivery, error.message);
  }
}

function badHeader({ script }: Delivery, reason: string): ModTsError {
  return new ModTsError("MODTS_CGI_BAD_HEADER", { script, reason });
}

async function nextOrFlush(
  chunks: Chunks,
  req: ApacheRequest,
  hasBody: boolean,
): Promise<Buffer | undefined> {
  // If the client has disconnected, the next write rejects, and the signal ends the script.
  const timer = hasBody
    ? setTimeout(() => void req.flush().catch(() => {}), flushDelayMs)
    : undefined;
  try {
    const { done, value } = await chunks.next();
    return done ? undefined : value;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The end of the output is the end of the response. But output that ends with a crash is probably
 * incomplete, and the exit code comes a moment later. A script that continues without its output is
 * not waited for.
 */
async function requireGoodEnd({ run, script }: Delivery): Promise<ScriptEnd | undefined> {
  const ending = await Promise.race([run.ended, sleep(endGraceMs, undefined, { ref: false })]);
  if (ending?.kind !== "broken") return ending ?? undefined;
  if (ending.error instanceof ModTsError) throw ending.error;
  const { reason, error: cause } = ending;
  throw new ModTsError("MODTS_CGI_DIED", { script, reason }, { cause });
}

/**
 * Body of an announced length, if any. A line feed too many, or characters counted instead of
 * bytes, are common: excess is dropped, as every client does. A shorter body is incomplete.
 */
export class AnnouncedBody {
  readonly #req: ApacheRequest;
  readonly #announced: number;
  #written = 0;

  /** To be created when the headers are set. */
  constructor(req: ApacheRequest) {
    this.#req = req;
    const isBodiless = req.headerOnly || req.status === 204 || req.status === 304;
    const length = isBodiless ? undefined : req.headersOut.get("Content-Length");
    this.#announced = length === undefined ? Infinity : Number(length);
  }

  /** Adds to the body; resolves when there is room for more. Rejects with `MODTS_CLIENT_GONE`. */
  async write(chunk: Buffer): Promise<void> {
    const room = Math.max(0, this.#announced - this.#written);
    this.#written += chunk.length;
    const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
    if (part.length > 0 && !this.#req.write(part)) await this.#req.flush();
  }

  /** Throws `MODTS_LENGTH_MISMATCH` if there was less than announced; logs it if there was more. */
  requireWhole(): void {
    const announced = this.#announced;
    if (announced === Infinity || announced === this.#written) return;
    const error = new ModTsError("MODTS_LENGTH_MISMATCH", { announced, actual: this.#written });
    if (this.#written < announced) throw error;
    this.#req.logError(error.message, "warn");
  }
}
