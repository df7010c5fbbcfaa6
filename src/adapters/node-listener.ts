/**
 * Calls what was written for `node:http`: a listener `(req, res)`, an Express or Connect application, a Fastify instance.
 * @module
 */
import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { HttpError, isHttpError } from "../http-error.ts";
import { isModTsError } from "../errors.ts";
import { DECLINED, OK, type Outcome } from "../outcome.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import { logFailure } from "../respond.ts";
import type { ApplicationUrl } from "./application-url.ts";
import { ClientSocket } from "./client-socket.ts";
import { aborted, MessageBody } from "./message-body.ts";
import { createMessage } from "./node-message.ts";

/** What says that a request is not its own, or that it failed. */
export type Next = (error?: unknown) => void;

/** A listener; one with a third parameter is Connect middleware, which may leave the request to Apache. */
export type Listener = (message: IncomingMessage, response: ServerResponse, next: Next) => unknown;

/**
 * Resolves when the response is complete, or with `DECLINED` when the application passed the request on.
 * Rejects with what it threw, or passed to `next`.
 */
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
    // Middleware may answer and still go on: then the answer counts.
    else if (!response.headersSent) resolve(DECLINED);
  };
  const fail = (error: unknown): void => {
    if (response.writableEnded) logFailure(error, req);
    else reject(toFailure(error, req));
  };
  // The application destroyed its response: the client is to see that it is not whole.
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
    // The application hears of it as "close" of its response.
    socket.destroy();
  });
}

/** What a response here has of its own; its prototype may become that of a framework. */
const own: PropertyDescriptorMap & ThisType<ServerResponse> = {
  // Chunks, where they are needed, are made below, also for applications that ask for them.
  chunkedEncoding: { get: () => false, set: () => {} },
  // Node keeps it up to date from its own server alone.
  writableNeedDrain: {
    get() {
      return !this.writableEnded && !this.destroyed && Boolean(this.socket?.writableNeedDrain);
    },
  },
};

/** Of Node's own class: frameworks set its prototype to theirs, which lead back to that one. */
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
 * An error with a status of its own, as `http-errors` makes them: body parsers refuse requests with these. What Express
 * does by default, show the stack to the client, is not for a server on the network.
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
