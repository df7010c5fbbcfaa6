/**
 * The log of a Fastify application: its lines go to the error log, with the application's name and the client's address.
 * @module
 */
import { format } from "node:util";
import { type FastifyBaseLogger, type FastifyReply, LogController } from "fastify";
import { log, type LogLevel } from "../log.ts";
import type { ApacheRequest } from "../request/request.ts";

/** What Fastify gives along with a message. */
interface Details {
  readonly err?: unknown;
  readonly req?: { readonly raw?: { readonly apache?: ApacheRequest } };
  readonly res?: Partial<FastifyReply>;
}

/** Makes the logger of an application. Child loggers are the same: what they are bound to stands in the line already. */
export function createFastifyLog(application: string): FastifyBaseLogger {
  const at =
    (level: LogLevel) =>
    (first: unknown, ...rest: unknown[]): void => {
      const isText = typeof first === "string";
      const details = isText ? {} : detailsOf(first);
      const text = isText ? format(first, ...rest) : format(...rest);
      write(level, `${application}: ${text || textOf(details)}`, details);
    };
  const logger = {
    level: "info",
    fatal: at("crit"),
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    trace: at("debug"),
    silent: () => {},
    child: () => logger,
  };
  return logger as unknown as FastifyBaseLogger;
}

/** Without a line for each request: Apache writes the access log. */
export class ApplicationLogController extends LogController {
  override incomingRequest(): void {}
  override routeNotFound(): void {}
  override requestCompleted(...parameters: Parameters<LogController["requestCompleted"]>): void {
    if (parameters[0]) super.requestCompleted(...parameters);
  }
}

function detailsOf(first: unknown): Details {
  if (first instanceof Error) return { err: first };
  return (Object(first) === first ? first : {}) as Details;
}

function textOf({ err }: Details): string {
  return err instanceof Error ? err.message : "";
}

function write(level: LogLevel, message: string, { err, req, res }: Details): void {
  const apache = req?.raw?.apache ?? res?.request?.raw.apache;
  log(level, message, {
    ...(apache && {
      client: apache.useragentAddr.join(":"),
      uniqueId: apache.uniqueId,
    }),
    // A refusal below 500 is the client's doing, and no stack explains it.
    ...(err !== undefined && level !== "info" && { error: err }),
  });
}
