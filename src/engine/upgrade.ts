/** Upgraded connections: the handler of a WebSocket or a tunnel, and the life of the connection. */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { ModTsError } from "../base/errors.ts";
import { reasonPhrase } from "../base/http-status.ts";
import { DECLINED, OK, type Outcome } from "../base/outcome.ts";
import { internals, type RawUpgrade } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import { closeConnection, Connection, type ConnectionHandler } from "./connection.ts";
import { type Directives, selectHandlers } from "./directives.ts";
import type { HandlerReference } from "./handler-reference.ts";
import type { HandlerModule, UpgradeHandler, WebSocketHandler } from "./handler.ts";
import { isApplication, lookupOf, type PhaseRunner, wrapHandlerError } from "./phase-runner.ts";
import { logFailure } from "./respond.ts";

export type SocketHandler =
  | { readonly webSocket: WebSocketHandler }
  | { readonly tunnel: UpgradeHandler };

/** Serves an upgraded connection until it closes, then runs log and cleanup. Never rejects. */
export type ServeSocket =
  /** With the open WebSocket; undefined if the client has disconnected meanwhile. */
  | { webSocket(socket: WebSocket | undefined): Promise<void> }
  /** With the raw connection, to which no response was sent. */
  | { tunnel(socket: Socket, head: Buffer): Promise<void> };

const socketExport = "webSocketHandler";
const connectionExport = "connectionHandler";

/** The first content handler that can serve a connection, or the final outcome before it. */
export async function findSocketHandler(
  phases: PhaseRunner,
  req: ApacheRequest,
  directives: Directives,
): Promise<SocketHandler | { readonly refusal: Outcome | Response }> {
  const references = selectHandlers(directives.handlers.get("handler"), req);
  const state = req[internals];
  state.phase = "handler";
  if (references.length === 0) throw new ModTsError("MODTS_NO_HANDLER");
  const raw = state.rawUpgrade;
  const exported = raw ? connectionExport : socketExport;
  const at = await indexOfSocketHandler(phases, req, references, exported);
  const reference = references[at];
  // The client's mistake: the handler serves requests, but no connections.
  if (!reference) {
    const handler = references.map(({ text }) => text).join(" ");
    const reason = `has no export named ${exported}`;
    throw new ModTsError("MODTS_NO_WEBSOCKET", { handler, reason });
  }
  // Attack: a client asks for an upgrade to bypass the access checks of earlier handlers.
  for (const before of references.slice(0, at)) {
    const outcome = await phases.call(before, "handler");
    if (outcome !== OK && outcome !== DECLINED) return { refusal: outcome };
  }
  state.handlerEntry = { handler: reference.text, phase: "handler" };
  const module = await phases.load(reference.module, exported);
  const tunnel = tunnelOf(reference, module.exports);
  if (tunnel) return { tunnel };
  if (raw) {
    const lookup = { names: [exported], method: exported, asked: exported };
    const serve = (await phases.find(reference, lookup)) as unknown as ConnectionHandler;
    return { tunnel: (_, socket, head) => serveConnection(serve, req, raw, { socket, head }) };
  }
  if (!Object.hasOwn(module.exports, socketExport)) {
    return askApplication(phases, req, reference);
  }
  const lookup = { names: [socketExport], method: socketExport, asked: socketExport };
  const found = await phases.find(reference, lookup);
  return { webSocket: found as unknown as WebSocketHandler };
}

/** -1 without a match. */
async function indexOfSocketHandler(
  phases: PhaseRunner,
  req: ApacheRequest,
  references: readonly HandlerReference[],
  exported: string,
): Promise<number> {
  for (const [index, reference] of references.entries()) {
    req[internals].handlerEntry = { handler: reference.text, phase: "handler" };
    const module = await phases.load(reference.module, exported);
    const { exports } = module;
    if (Object.hasOwn(exports, exported) || tunnelOf(reference, exports)) return index;
    if (exported === socketExport && isApplication(module, lookupOf(reference, "handler")))
      return index;
  }
  return -1;
}

/** An application decides at the request, as its router knows which path is one of a socket. */
async function askApplication(
  phases: PhaseRunner,
  req: ApacheRequest,
  reference: HandlerReference,
): Promise<SocketHandler | { readonly refusal: Outcome | Response }> {
  const outcome = await phases.call(reference, "handler");
  // Attack: middleware redirects to a login after the route has accepted the socket.
  const refuses = outcome instanceof Response ? !outcome.ok : outcome !== OK;
  if (refuses) return { refusal: outcome };
  const { acceptSocket } = req[internals];
  if (acceptSocket) return { webSocket: async (socket) => void (await acceptSocket(socket)) };
  const reason = "has no WebSocket at this path";
  throw new ModTsError("MODTS_NO_WEBSOCKET", { handler: reference.text, reason });
}

/** Only a built-in may take over the raw connection. */
function tunnelOf(
  { module }: HandlerReference,
  { upgradeHandler }: HandlerModule["exports"],
): UpgradeHandler | undefined {
  return module.startsWith("mod_ts/") ? (upgradeHandler as UpgradeHandler | undefined) : undefined;
}

/** `conclude` runs after the connection has closed. */
export function serveSocket(
  found: SocketHandler,
  req: ApacheRequest,
  conclude: () => Promise<void>,
): ServeSocket {
  if ("tunnel" in found) {
    return {
      tunnel: async (socket, head) => {
        await serveTunnel(found.tunnel, req, socket, head);
        await conclude();
      },
    };
  }
  return {
    webSocket: async (socket) => {
      if (socket) await serveWebSocket(found.webSocket, req, socket);
      await conclude();
    },
  };
}

/** Agrees to the protocol (RFC 9110, section 7.8). Never rejects. */
async function serveConnection(
  serve: ConnectionHandler,
  req: ApacheRequest,
  { protocol, ending }: RawUpgrade,
  { socket, head }: { readonly socket: Socket; readonly head: Buffer },
): Promise<void> {
  if (head.length > 0) socket.unshift(head);
  const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", `Upgrade: ${protocol}`];
  socket.write([...lines, "", ""].join("\r\n"));
  const localAddr = req.connection.localAddr ?? ["", req.server.port];
  const addresses = { remoteAddr: req.useragentAddr, localAddr };
  try {
    await serve(new Connection(protocol, socket, ending, addresses), req);
    await closeConnection(socket);
  } catch (error) {
    if (!socket.destroyed) logFailure(wrapHandlerError(error, "handler", connectionExport), req);
    socket.destroy();
  }
}

async function serveTunnel(
  serve: UpgradeHandler,
  req: ApacheRequest,
  socket: Socket,
  head: Buffer,
): Promise<void> {
  try {
    await serve(req, socket, head);
  } catch (error) {
    logFailure(wrapHandlerError(error, "handler", "upgradeHandler"), req);
    if (!socket.destroyed) socket.end(rawErrorResponse(error));
  }
  if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
}

async function serveWebSocket(
  serve: WebSocketHandler,
  req: ApacheRequest,
  socket: WebSocket,
): Promise<void> {
  try {
    await serve(socket, req);
  } catch (error) {
    logFailure(wrapHandlerError(error, "handler", socketExport), req);
    // RFC 6455, section 7.4.1: 1011, the server met an unexpected condition.
    socket.close(1011);
  }
  if (socket.readyState !== socket.CLOSED) {
    await new Promise((resolve) => socket.once("close", resolve));
  }
}

/** A raw connection has no response object. */
function rawErrorResponse(error: unknown): string {
  const status = error instanceof ModTsError && error.status > 0 ? error.status : 500;
  return `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}
