/**
 * `mod_ts/origin`: the original resource, as if none of our handlers existed, from Apache itself or
 * another server. It serves a list whose other handlers decline or only set headers.
 *
 * ```
 *   browser ──> Apache ──> our handler ──> Origin ──┬──> another server
 *                 ▲                                 │
 *                 └──────── callback with a token ──┘   no handlers, but access control
 * ```
 */
import type { Socket } from "node:net";
import type { UpgradeHandler } from "../../engine/handler.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { ModTsError } from "../../base/errors.ts";
import type { CallbackInfo } from "../../request/exchange.ts";
import { bodyOf } from "../../request/body/body.ts";
import { internals, type OriginAccess, type RedirectTarget } from "../../request/internals.ts";
import { originUnavailableHint } from "../../request/origin.ts";
import { decodePath, parseUri } from "../../request/uri.ts";
import { setBounded } from "../../base/cache.ts";
import { ConcurrencyLimiter } from "../../base/concurrency-limiter.ts";
import { originGuard } from "../../base/crypto.ts";
import { type CallDecision, CallbackTokens } from "../../engine/callback-token.ts";
import { changesOf, digestsOf } from "../../engine/changes.ts";
import { checkResponse, copyResponse, relocate, toResponse } from "./upstream-response.ts";
import { forApache, forForeign, framing, hasBody, hopLimit } from "./outgoing.ts";
import { type Peer, Proxy, type Upstream, type UpstreamRequest } from "./proxy.ts";
import { type ForeignOrigin, originOptions, toTarget } from "./origin-options.ts";

export function createOrigin(origin: Origin): {
  handler(req: ApacheRequest): Promise<Outcome>;
  upgradeHandler: UpgradeHandler;
} {
  return {
    async handler(req) {
      await origin.pass(req);
      return OK;
    },
    upgradeHandler: (req, socket, head) => origin.tunnel(req, socket, head),
  };
}

export interface ApacheSettings {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string;
  /** Shared with Apache. */
  readonly secret: string;
  /** Header with the client's address for Apache; default: one with a secret name. */
  readonly clientHeader?: string | undefined;
  /** Concurrent callbacks of this process. */
  readonly calls: number;
}

interface Callbacks {
  readonly url: string;
  /** Name of the header with the client's address. */
  readonly header: string;
  readonly tokens: CallbackTokens;
}

export class Origin implements OriginAccess {
  readonly #apache: Callbacks | undefined;
  /**
   * A request with a callback holds two threads of Apache. Deadlock: all threads are held by
   * requests that wait for a second one. So at most a third of the threads makes callbacks, as many
   * may wait, and others are rejected at once; a third is left for the callbacks themselves.
   */
  readonly #limiter: ConcurrencyLimiter;
  readonly #proxy = new Proxy();
  /** By their URL. */
  readonly #peers = new Map<string, KnownPeer>();

  /** @param apache undefined: only other servers are available */
  constructor(apache: ApacheSettings | undefined) {
    this.#apache = apache && {
      url: apache.url,
      header: (apache.clientHeader ?? `Mod-Ts-Client-${originGuard(apache.secret)}`).toLowerCase(),
      tokens: new CallbackTokens(apache.secret),
    };
    const limit = apache?.calls ?? 0;
    const busy = "MODTS_ORIGIN_BUSY";
    this.#limiter = new ConcurrencyLimiter({ limit, queue: limit, busy, patienceMs: 10_000 });
  }

  get callsBack(): boolean {
    return this.#apache !== undefined;
  }

  /** Responds with the original resource and the headers set by handlers. */
  async pass(req: ApacheRequest): Promise<void> {
    // After output of handlers, neither ranges nor codings of the original make sense.
    const plain = req[internals].response.written;
    if (plain) req.headersIn.delete("Range");
    // Deadlock: in a callback, an authen handler opens the same session and waits for this request.
    await req[internals].finalizer?.settle(true);
    await copyResponse(req, await this.#request(req, { plain }));
  }

  async redirect(req: ApacheRequest, target: RedirectTarget): Promise<void> {
    await copyResponse(req, await this.#request(req, { redirect: target }));
  }

  async fetch(req: ApacheRequest, part?: RedirectTarget): Promise<Response> {
    // Handlers may change the body, so it must not be compressed.
    const upstream = await this.#request(req, { plain: true, ...(part && { redirect: part }) });
    // A response that is never returned or read must not hold its connection and place.
    req[internals].cleanups.push(() => upstream.destroy());
    if (req[internals].isOver) {
      upstream.destroy();
      const name = part ? "req.subRequest" : "fetchOrigin";
      throw new ModTsError("MODTS_RESPONSE_ENDED", { name });
    }
    return toResponse(upstream);
  }

  /** Connects a client with another server: WebSockets, and protocols of `mod_ts.upgrade`. */
  async tunnel(req: ApacheRequest, socket: Socket, head: Buffer): Promise<void> {
    const { foreign, timeout } = originOptions(req.getOptions());
    if (!foreign) {
      const reason = "upgrades need another server as origin; Apache itself serves none";
      throw new ModTsError("MODTS_BAD_OPTION", { name: "mod_ts.origin.url", reason });
    }
    const { path, headers } = forForeign(req, foreign);
    const upgrade = req[internals].rawUpgrade?.protocol ?? "websocket";
    const request = { path, headers, upgrade };
    await this.#proxy.tunnel(peerOf(foreign, timeout), request, socket, head);
  }

  close(): void {
    this.#proxy.close();
  }

  async #request(
    req: ApacheRequest,
    { redirect, plain }: { redirect?: RedirectTarget; plain?: boolean } = {},
  ): Promise<Upstream> {
    const { foreign, timeout } = originOptions(req.getOptions());
    const extra = plain ? { "accept-encoding": "identity" } : {};
    if (!foreign || redirect) return this.#callBack(req, extra, redirect);
    const { path, headers } = forForeign(req, foreign);
    const request = { method: req.method, path, ...withBody(req, { ...headers, ...extra }) };
    const upstream = await this.#proxy.send(peerOf(foreign, timeout), request, req.signal);
    relocate(upstream, foreign);
    return upstream;
  }

  async #callBack(
    req: ApacheRequest,
    extra: Record<string, string>,
    redirect: RedirectTarget | undefined,
  ): Promise<Upstream> {
    const peer = this.#peerOfApache(req);
    const request = this.#requestForApache(req, extra, redirect);
    const leave = await this.#enter(req);
    try {
      const upstream = await this.#proxy.send(peer, request, req.signal);
      upstream.once("close", leave);
      checkResponse(upstream, { req, origin: peer.name, isPass: !redirect });
      return upstream;
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #enter(req: ApacheRequest): Promise<() => void> {
    try {
      // A nested redirect holds a place already: if it queued, such requests could hold all places.
      return await this.#limiter.enter(req.signal, depthOf(req) === 0);
    } catch (error) {
      // RFC 9110, section 10.2.3. The time is unknown; soon is likely.
      req.errHeadersOut.set("Retry-After", "1");
      throw error;
    }
  }

  #requestForApache(
    req: ApacheRequest,
    extra: Record<string, string>,
    redirect: RedirectTarget | undefined,
  ): UpstreamRequest {
    const { tokens, header } = this.#requireApache();
    const method = redirect?.method ?? req.method;
    const { path, headers } = forApache(req, redirect);
    const remoteAddress = req.useragentIp;
    const scheme = req.isHttps() ? "https" : "http";
    const callback = nextCallback(req, redirect);
    const before = req.headersIn.getAll(header).join(", ");
    const all = {
      ...headers,
      ...extra,
      // The last address counts; earlier ones, from the client, stay as Apache left them.
      [header]: before ? `${before}, ${remoteAddress}` : remoteAddress,
      "mod-ts-origin": tokens.issue(
        callback,
        { method, path, remoteAddress, scheme },
        redirect ? undefined : decisionOf(req, path),
      ),
    };
    return { method, path, ...withBody(req, all, method) };
  }

  #peerOfApache(req: ApacheRequest): Peer {
    const { url: configured } = this.#requireApache();
    const { apache = configured, timeout } = originOptions(req.getOptions());
    return {
      ...this.#knownPeer(String(apache)),
      timeout,
      // Deadlock: a kept connection belongs to one process of httpd (MPM event), whose threads may
      // all be held by requests that wait for callbacks. A new connection goes to a process with a
      // free thread.
      keepAlive: false,
      servername: req.hostname ?? undefined,
    };
  }

  #knownPeer(url: string): KnownPeer {
    const known = this.#peers.get(url) ?? apacheAt(new URL(url));
    // Attack: the author of `.htaccess` names addresses without end.
    if (!this.#peers.has(url)) setBounded(this.#peers, url, known, 100);
    return known;
  }

  #requireApache(): Callbacks {
    if (this.#apache) return this.#apache;
    throw new ModTsError("MODTS_ORIGIN_UNSET", originUnavailableHint);
  }
}

type KnownPeer = Pick<Peer, "name" | "target" | "unverified">;

function apacheAt(url: URL): KnownPeer {
  const unverified = /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
  return { name: `Apache at ${url.host}`, target: toTarget(url), unverified };
}

/** Throws `MODTS_ORIGIN_LOOP`. */
function nextCallback(req: ApacheRequest, redirect: RedirectTarget | undefined): CallbackInfo {
  const depth = depthOf(req) + 1;
  if (depth > hopLimit) {
    throw new ModTsError("MODTS_ORIGIN_LOOP", `${hopLimit} internal redirects led here`);
  }
  if (!redirect) return { kind: "pass", depth };
  const { method, unparsedUri, uri, user } = req;
  const notes = Object.fromEntries(req.notes);
  return { kind: "redirect", depth, previous: { method, unparsedUri, uri, user, notes } };
}

/** What the phases before the content have decided, which a callback for this path does not run again. */
function decisionOf(req: ApacheRequest, target: string): CallDecision | undefined {
  const { decided, uri } = req[internals].context;
  if (!decided) return undefined;
  const paths = new Set([uri, decodePath(parseUri(target).path ?? "/")]);
  const judged = [...paths].flatMap((path) => {
    return decided.lines.flatMap((line) => digestsOf(line, path));
  });
  return { judged, fields: changesOf(req, decided.accepted, true) };
}

function depthOf(req: ApacheRequest): number {
  return req[internals].context.callback?.depth ?? 0;
}

function peerOf({ name, target }: ForeignOrigin, timeout: number): Peer {
  return { name, target, timeout, keepAlive: true };
}

function withBody(
  req: ApacheRequest,
  headers: UpstreamRequest["headers"],
  method: string = req.method,
): Omit<UpstreamRequest, "method" | "path"> {
  const { exchange } = req[internals];
  const body = bodyOf(req[internals]);
  const inform: UpstreamRequest["inform"] = (status, hints) => {
    if (status === 103 && hints["link"] !== undefined) exchange.hint?.({ link: hints["link"] });
  };
  if (!hasBody(req, method)) return { headers, inform };
  return { headers: { ...headers, ...framing(req) }, inform, body: () => body.claim("the origin") };
}
