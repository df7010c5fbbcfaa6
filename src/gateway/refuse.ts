/**
 * The answer to a request that never became one of ours.
 * @module
 */
import type { ServerResponse } from "node:http";
import { errorPage } from "../error-page.ts";
import { isModTsError } from "../errors.ts";
import type { ApacheRequest } from "../request/request.ts";
import { logFailure } from "../respond.ts";

/** Answers with the status of the error: the log says why, the peer only that it may not pass. */
export function refuse(reply: ServerResponse, error: unknown, req?: ApacheRequest): void {
  const status = isModTsError(error) && error.status > 0 ? error.status : 500;
  logFailure(error, req);
  if (reply.headersSent) return void reply.destroy();
  const page = errorPage(status, req?.uniqueId ?? "");
  // The connection is kept: closed over a body that Apache still sends, it would carry no answer (502).
  reply.writeHead(status, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": Buffer.byteLength(page),
  });
  reply.end(page);
}
