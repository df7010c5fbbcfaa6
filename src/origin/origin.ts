/**
 * The way from a request to its origin: what Apache itself would answer, or another server.
 *
 * ```
 *   browser ──> Apache ──> handler of ours ──> Origin ──┬──> another server
 *                 ▲                                     │
 *                 └───────── the call back ─────────────┘   with a ticket: no handler of ours, access control as ever
 * ```
 * @module
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { ModTsError } from "../errors.ts";
import type { Passage } from "../request/exchange.ts";
import type { RedirectTarget } from "../request/internal-redirect.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import { howToCallBack, type OriginAccess } from "../request/toolkit.ts";
import { originGuard } from "../secret.ts";
import { CallGate } from "./call-gate.ts";
import { copyAnswer, toResponse } from "./answer.ts";
import { checkAnswer } from "./check-answer.ts";
import { relocate } from "./relocate.ts";
import { forApache, forForeign, framing, hasBody, hopLimit } from "./outgoing.ts";
import { type Peer, Proxy } from "./proxy.ts";
import type { Question } from "./question.ts";
import { type ForeignOrigin, originSettings, toTarget } from "./settings.ts";
import { Tickets } from "./tickets.ts";

/** Where Apache is, and how much of it may be asked for. */
export interface ApacheSettings {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string;
  /** Shared with Apache. */
  readonly secret: string;
  /** Header that tells Apache the client's address; undefined: the one with the secret name. */
  readonly clientHeader?: string | undefined;
  /** Call backs at a time, of this process. */
  readonly calls: number;
}

/** One serves all requests of a worker. */
export class Origin implements OriginAccess {
  readonly #apache: ApacheSettings | undefined;
  readonly #tickets: Tickets | undefined;
  readonly #clientHeader: string | undefined;
  readonly #gate: CallGate;
  readonly #proxy = new Proxy();

  /** @param apache undefined: only other servers can be asked */
  constructor(apache: ApacheSettings | undefined) {
    this.#apache = apache;
    this.#tickets = apache && new Tickets(apache.secret);
    this.#clientHeader =
      apache &&
      (apache.clientHeader ?? `Mod-Ts-Client-${originGuard(apache.secret)}`).toLowerCase();
    this.#gate = new CallGate(apache?.calls ?? 0);
  }

  get callsBack(): boolean {
    return this.#apache !== undefined;
  }

  /** Answers with the original resource, under the headers that handlers have set. */
  async pass(req: ApacheRequest): Promise<void> {
    // Behind what handlers wrote, neither a part nor a coding of the original would mean anything.
    const plain = req[internals].response.written;
    if (plain) req.headersIn.delete("Range");
    // Trap: an authen handler that opens the same session, asked again in a call back, would wait for this request, which waits for it.
    await req[internals].settling?.settle(true);
    await copyAnswer(req, await this.#ask(req, { plain }));
  }

  async redirect(req: ApacheRequest, target: RedirectTarget): Promise<void> {
    await copyAnswer(req, await this.#ask(req, { redirect: target }));
  }

  async fetch(req: ApacheRequest): Promise<Response> {
    // What comes is to be changed: a compressed body could not be.
    const answer = await this.#ask(req, { plain: true });
    // A response that nobody returns or reads must not hold the connection, and its place at the gate.
    req[internals].cleanups.push(() => answer.destroy());
    if (req[internals].isOver) {
      answer.destroy();
      throw new ModTsError("MODTS_RESPONSE_ENDED", { name: "fetchOrigin" });
    }
    return toResponse(answer);
  }

  /** Joins a WebSocket with another server. */
  async tunnel(req: ApacheRequest, socket: Socket, head: Buffer): Promise<void> {
    const { foreign, timeout } = originSettings(req.getOptions());
    if (!foreign) {
      const reason = "WebSockets go to another server alone; Apache itself has none";
      throw new ModTsError("MODTS_BAD_OPTION", { name: "mod_ts.origin.url", reason });
    }
    const { path, headers } = forForeign(req, foreign);
    const upgrade = { connection: "Upgrade", upgrade: "websocket" };
    const question = { method: "GET", path, headers: { ...headers, ...upgrade } };
    await this.#proxy.tunnel(peerOf(foreign, timeout), question, socket, head);
  }

  close(): void {
    this.#proxy.close();
  }

  async #ask(
    req: ApacheRequest,
    { redirect, plain }: { redirect?: RedirectTarget; plain?: boolean } = {},
  ): Promise<IncomingMessage> {
    const { foreign, timeout } = originSettings(req.getOptions());
    const extra = plain ? { "accept-encoding": "identity" } : {};
    if (!foreign || redirect) return this.#callBack(req, extra, redirect);
    const { path, headers } = forForeign(req, foreign);
    const question = { method: req.method, path, ...withBody(req, { ...headers, ...extra }) };
    const answer = await this.#proxy.ask(peerOf(foreign, timeout), question, req.signal);
    relocate(answer, foreign);
    return answer;
  }

  async #callBack(
    req: ApacheRequest,
    extra: Record<string, string>,
    redirect: RedirectTarget | undefined,
  ): Promise<IncomingMessage> {
    const peer = this.#peerOfApache(req);
    const question = this.#questionForApache(req, extra, redirect);
    const leave = await this.#enter(req);
    try {
      const answer = await this.#proxy.ask(peer, question, req.signal);
      answer.once("close", leave);
      checkAnswer(answer, { req, origin: peer.name, isPass: !redirect });
      return answer;
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #enter(req: ApacheRequest): Promise<() => void> {
    try {
      // A redirect within a redirect holds a place already: were it to wait, all places could be held by such.
      return await this.#gate.enter(req.signal, depthOf(req) === 0);
    } catch (error) {
      // RFC 9110, section 10.2.3. Nobody knows when; soon is likely.
      req.errHeadersOut.set("Retry-After", "1");
      throw error;
    }
  }

  #questionForApache(
    req: ApacheRequest,
    extra: Record<string, string>,
    redirect: RedirectTarget | undefined,
  ): Question {
    const { tickets, header } = this.#configured();
    const method = redirect?.method ?? req.method;
    const { path, headers } = forApache(req, redirect);
    const remoteAddress = req.useragentIp;
    const scheme = req.isHttps() ? "https" : "http";
    const passage = nextPassage(req, redirect);
    const before = req.headersIn.getAll(header).join(", ");
    const all = {
      ...headers,
      ...extra,
      // The last one is the one that counts, and what the client wrote before it stays as Apache left it.
      [header]: before ? `${before}, ${remoteAddress}` : remoteAddress,
      "mod-ts-origin": tickets.issue(passage, { method, path, remoteAddress, scheme }),
    };
    return { method, path, ...withBody(req, all, method) };
  }

  #peerOfApache(req: ApacheRequest): Peer {
    const { apache } = this.#configured();
    const settings = originSettings(req.getOptions());
    const url = settings.apache ?? new URL(apache.url);
    const isLoopback = /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
    return {
      name: `Apache at ${url.host}`,
      target: toTarget(url),
      timeout: settings.timeout,
      // A kept connection belongs to one process of httpd (MPM event). Were all threads of that one held by requests that call back, it would
      // wait for them, and they for it. A new connection goes to a process that has a thread free.
      keepAlive: false,
      servername: req.hostname ?? undefined,
      unverified: isLoopback,
    };
  }

  #configured(): { apache: ApacheSettings; tickets: Tickets; header: string } {
    const [apache, tickets, header] = [this.#apache, this.#tickets, this.#clientHeader];
    if (!apache || !tickets || !header)
      throw new ModTsError("MODTS_ORIGIN_UNSET", { reason: howToCallBack });
    return { apache, tickets, header };
  }
}

/** The passage of the next call. Throws `MODTS_ORIGIN_LOOP`. */
function nextPassage(req: ApacheRequest, redirect: RedirectTarget | undefined): Passage {
  const depth = depthOf(req) + 1;
  if (depth > hopLimit) {
    const reason = `${hopLimit} internal redirects led here`;
    throw new ModTsError("MODTS_ORIGIN_LOOP", { reason });
  }
  if (!redirect) return { kind: "pass", depth };
  const { method, unparsedUri, uri, user } = req;
  const notes = Object.fromEntries(req.notes);
  return { kind: "redirect", depth, previous: { method, unparsedUri, uri, user, notes } };
}

function depthOf(req: ApacheRequest): number {
  return req[internals].context.passage?.depth ?? 0;
}

function peerOf({ name, target }: ForeignOrigin, timeout: number): Peer {
  return { name, target, timeout, keepAlive: true };
}

function withBody(
  req: ApacheRequest,
  headers: Question["headers"],
  method: string = req.method,
): Omit<Question, "method" | "path"> {
  const { body, exchange } = req[internals];
  const inform: Question["inform"] = (status, hints) => {
    if (status === 103 && hints["link"] !== undefined) exchange.hint?.({ link: hints["link"] });
  };
  if (!hasBody(req, method)) return { headers, inform };
  return {
    headers: { ...headers, ...framing(req) },
    inform,
    body: () => body.claim("the origin"),
  };
}
