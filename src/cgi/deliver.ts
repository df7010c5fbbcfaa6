/**
 * From what a script writes to the answer of its request.
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError } from "../errors.ts";
import type { Outcome } from "../outcome.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import { logFailure } from "../respond.ts";
import { AnnouncedBody } from "./announced-body.ts";
import { BadHead, HeaderParser, type ScriptHead } from "./header-parser.ts";
import { adoptHead } from "./script-answer.ts";
import type { ScriptEnd, ScriptRun } from "./script-run.ts";

/** Milliseconds without further output after which what is there goes out; output that comes in one go keeps its length. */
const flushDelay = 20;

/** Milliseconds between the end of a script and the end of its output: somebody in the background may hold the pipe for ever. */
const endGrace = 250;

/** A script that runs for a request. */
export interface Delivery {
  readonly req: ApacheRequest;
  readonly run: ScriptRun;
  /** Absolute path. */
  readonly script: string;
  /** Milliseconds that the script may be silent. */
  readonly timeout: number;
}

/** The script names a path of this server that is to answer in its place. */
export interface LocalRedirect {
  readonly path: string;
}

/**
 * Answers with what the script writes, as it comes; or gives what is to answer in its place.
 * @throws ModTsError `MODTS_CGI_BAD_HEADER`, `MODTS_CGI_NPH`, `MODTS_CGI_TIMEOUT`, `MODTS_CGI_DIED`, …
 */
export async function deliver(delivery: Delivery): Promise<Outcome | LocalRedirect> {
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
  return redirect === undefined ? outcome : { path: redirect };
}

type Chunks = AsyncGenerator<Buffer, void>;

/** The output; how long the client takes for it, or to send its body, is not the script's silence. */
async function* readInTime({ req, run, script, timeout }: Delivery): Chunks {
  const { exchange } = req[internals];
  const output = run.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const expired = (): ModTsError => new ModTsError("MODTS_CGI_TIMEOUT", { script, limit: timeout });
  let hasEnded = false;
  let hurry: (() => void) | undefined;
  void run.ended.then(() => {
    hasEnded = true;
    hurry?.();
  });
  for (;;) {
    const silence = Promise.withResolvers<typeof end>();
    let { received } = exchange;
    const look = (): void => {
      // How slow a client may be is for mod_reqtimeout to say.
      if (exchange.received === received) return silence.reject(expired());
      received = exchange.received;
    };
    let timer = setInterval(look, timeout);
    hurry = () => {
      clearInterval(timer);
      timer = setInterval(() => silence.resolve(end), endGrace);
    };
    if (hasEnded) hurry();
    let part: IteratorResult<Buffer, void>;
    try {
      // An output that is torn has ended; why, the end of the script tells.
      const next = output.next().catch(() => end);
      part = await Promise.race([next, silence.promise]);
    } finally {
      hurry = undefined;
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
    `it wrote ${written} before its end${ending ? ` (${ending.reason})` : ""}`,
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
  // A client that has gone is told by the next write; the signal ends the script.
  const timer = hasBody
    ? setTimeout(() => void req.flush().catch(() => {}), flushDelay)
    : undefined;
  try {
    const { done, value } = await chunks.next();
    return done ? undefined : value;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The end of the output is the end of the answer; but output that ends with a crash is most likely not all, and the exit code
 * comes a moment later. A script that goes on without its output is not waited for.
 */
async function requireGoodEnd({ run, script }: Delivery): Promise<ScriptEnd | undefined> {
  const over = new AbortController();
  const waited = sleep(endGrace, undefined, { signal: over.signal }).catch(() => undefined);
  const ending = await Promise.race([run.ended, waited]);
  over.abort();
  if (ending?.kind !== "broken") return ending ?? undefined;
  if (ending.error instanceof ModTsError) throw ending.error;
  const { reason, error: cause } = ending;
  throw new ModTsError("MODTS_CGI_DIED", { script, reason }, { cause });
}
