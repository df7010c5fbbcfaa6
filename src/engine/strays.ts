/** Errors that belong to no request, and handlers that end the worker. */
import { attempt } from "../base/attempt.ts";
import { type ErrorCode, ModTsError, report } from "../base/errors.ts";
import { userPosition } from "../loader/stack.ts";
import { internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import { adviseOnListen } from "./advice.ts";
import type { HandlerModule } from "./handler.ts";
import { respondToFailure } from "./respond.ts";

/** In development, the requests without a complete response, and the modules they use. */
export const openRequests = new Map<ApacheRequest, readonly HandlerModule[]>();

/**
 * A forgotten rejection harms no other request; an uncaught throw may leave anything incomplete, so
 * the worker exits and is replaced.
 */
export function reportStrays(): void {
  process.on("unhandledRejection", (reason) => reportStray("MODTS_UNHANDLED_REJECTION", reason));
  process.on("uncaughtException", (error) => {
    reportStray("MODTS_UNCAUGHT_EXCEPTION", error);
    answerOpenRequests(error);
    process.exit(1);
  });
  process.on("exit", (code) => {
    const error = new Error(`process.exit(${code}) was called`);
    // The handler, which calls it, must not be beyond the limit of the stack.
    Error.captureStackTrace(error, process.exit);
    if (userPosition(error)) answerOpenRequests(error);
  });
}

function reportStray(code: ErrorCode, error: unknown): void {
  adviseOnListen(error);
  report(new ModTsError(code), { error });
}

/** The last chance: Node.js writes to a socket at once what the socket takes. */
function answerOpenRequests(cause: unknown): void {
  for (const [req, held] of openRequests) {
    if (req[internals].response.begun) continue;
    const error = new ModTsError("MODTS_WORKER_ENDED", {}, { cause });
    attempt(() => {
      respondToFailure(req, error, held);
      req[internals].exchange.flush?.();
    }, undefined);
  }
}
