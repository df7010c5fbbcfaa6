/** `mod_ts/node`: a listener of `node:http`, e.g. Express or Connect (docs/applications.md). */
import { type IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { getOrCreate } from "../../base/cache.ts";
import type { UpgradeHandler } from "../../engine/handler.ts";
import { isClass } from "../../engine/phase-runner.ts";
import { DECLINED, OK, type Outcome } from "../../base/outcome.ts";
import { type HeldModule, internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { HttpError, isHttpError } from "../../base/http-error.ts";
import { isModTsError } from "../../base/errors.ts";
import { logFailure } from "../../engine/respond.ts";
import {
  type ApplicationCall,
  type ApplicationUrl,
  createApplicationHandler,
  exportOf,
  notAnApplication,
} from "./application.ts";
import { ClientSocket } from "./client-socket.ts";
import { aborted, MessageBody } from "./message-body.ts";
import { createMessage } from "./node-message.ts";
import { ApplicationSockets, noWebSocket, passUpgrade } from "./sockets.ts";

export function createNode(): {
  handler(req: ApacheRequest): Promise<Outcome>;
  upgradeHandler: UpgradeHandler;
} {
  const sockets = new Map<string, ApplicationSockets>();
  const socketsOf = ({ name, base, module }: ApplicationCall): ApplicationSockets => {
    const own = getOrCreate(sockets, `${name} ${base}`, () => new ApplicationSockets());
    own.meet(module.generation);
    return own;
  };
  const find = createApplicationHandler("node", (found) => found);
  return {
    handler: createApplicationHandler("node", (asked) => {
      socketsOf(asked);
      return callListener(asked.req, listenerOf(asked.module, asked.reference.path), asked.url);
    }),
    upgradeHandler: async (req, socket, head) => {
      const found = await find(req);
      if (typeof found === "number") throw noWebSocket("mod_ts/node");
      const application = exportOf(found.module, found.reference.path);
      if (!(application instanceof Server)) throw noWebSocket(found.name);
      passUpgrade(application, found, { socket, head });
      socketsOf(found).add(socket, found.module.generation);
    },
  };
}

function listenerOf(module: HeldModule, path: readonly string[]): Listener {
  const value = exportOf(module, path);
  if (value instanceof Server)
    return (message, response) => value.emit("request", message, response);
  if (typeof value === "function" && !isClass(value)) return value as Listener;
  throw notAnApplication(module, value, "a function (req, res), or a server of node:http");
}

/** Passes the request on, or reports an error. */
export type Next = (error?: unknown) => void;

/** With a third parameter it is Connect middleware, which may leave the request to Apache. */
export type Listener = (message: IncomingMessage, response: ServerResponse, next: Next) => unknown;

/** Resolves when the response is complete; `DECLINED` if the application passed the request on. */
export function callListener(
  req: ApacheRequest,
  listener: Listener,
  url: ApplicationUrl,
): Promise<Outcome> {
  const socket = new ClientSocket(req);
  const message = createMessage(req, socket, url);
  const body = new MessageBody(message, req);
  const response = createResponse(message, socket);
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const next: Next = (error) => {
    if (error) fail(error);
    // Middleware may respond and still call next: the response counts.
    else if (!response.headersSent) resolve(DECLINED);
  };
  const fail = (error: unknown): void => {
    if (response.writableEnded) logFailure(error, req);
    else reject(toFailure(error, req));
  };
  // The application destroyed its response: the client must see that it is incomplete.
  const cutOff = (): void => {
    if (response.writableFinished || socket.errored) return;
    req[internals].response.abort();
    resolve(OK);
  };
  const leave = (): void => {
    message.destroy(aborted());
    socket.destroy(aborted());
  };
  socket.on("error", reject);
  response.once("finish", () => resolve(OK));
  response.once("close", cutOff);
  req.signal.addEventListener("abort", leave, { once: true });
  call(listener, [message, response, next], fail);
  return promise.finally(() => {
    req.signal.removeEventListener("abort", leave);
    response.off("close", cutOff);
    body.drop();
    // The application gets "close" of its response.
    socket.destroy();
  });
}

/** Own properties, as frameworks replace the prototype. */
const own: PropertyDescriptorMap & ThisType<ServerResponse> = {
  // Chunks are made below, for applications that ask for them, too.
  chunkedEncoding: { get: () => false, set: () => {} },
  // Apache forwards trailers over HTTP/2 only, and Node rejects an announcement without chunks.
  writeHead: { value: writeHeadWithoutTrailer, writable: true, configurable: true },
  // Node updates it only in its own server.
  writableNeedDrain: {
    get() {
      return !this.writableEnded && !this.destroyed && Boolean(this.socket?.writableNeedDrain);
    },
  },
};

function writeHeadWithoutTrailer(
  this: ServerResponse,
  status: number,
  ...more: unknown[]
): ServerResponse {
  this.removeHeader("Trailer");
  const headers = more.at(-1);
  if (typeof headers === "object" && headers !== null && !Array.isArray(headers)) {
    const kept = Object.entries(headers).filter(([name]) => name.toLowerCase() !== "trailer");
    more[more.length - 1] = Object.fromEntries(kept);
  }
  const { writeHead } = Object.getPrototypeOf(this) as ServerResponse;
  return (writeHead as (...parameters: unknown[]) => ServerResponse).call(this, status, ...more);
}

/** Of Node's class: the prototypes of frameworks lead back to it. */
function createResponse(message: IncomingMessage, socket: ClientSocket): ServerResponse {
  const response = new ServerResponse(message);
  // Apache dates responses.
  response.sendDate = false;
  Object.defineProperties(response, own);
  socket.message = response;
  socket.on("drain", () => response.writableEnded || response.emit("drain"));
  response.assignSocket(socket as unknown as Socket);
  return response;
}

function call(listener: Listener, parameters: Parameters<Listener>, fail: Next): void {
  try {
    const given = listener(...parameters) as PromiseLike<unknown> | undefined;
    if (typeof given?.then === "function") given.then(undefined, fail);
  } catch (error) {
    fail(error);
  }
}

/**
 * Errors with a status, as `http-errors` makes them for body parsers. Attack: Express shows the
 * stack to clients by default; here it is logged.
 */
function toFailure(error: unknown, req: ApacheRequest): unknown {
  if (!(error instanceof Error) || isModTsError(error) || isHttpError(error)) return error;
  const { status, statusCode, expose, headers } = error as Error & {
    status?: unknown;
    statusCode?: unknown;
    expose?: unknown;
    headers?: Record<string, string>;
  };
  const outcome = Number(status ?? statusCode);
  if (!(outcome >= 400 && outcome <= 599)) return error;
  if (outcome >= 500) logFailure(error, req);
  else req.logError(`the application refused with ${outcome}: ${error.message}`, "info");
  return new HttpError(outcome, {
    cause: error,
    ...(expose === true && { body: `${error.message}\n` }),
    ...(headers && { headers }),
  });
}
