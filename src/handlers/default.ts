/**
 * What Apache's own default handler would do, for a request that every content handler declined: the plain file that
 * Apache mapped, with its content type, validators and ranges; else 404.
 *
 * httpd: `default_handler` of server/core.c. RFC 9110, sections 13 (conditional requests) and 14 (ranges).
 * @module
 */
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Stats } from "node:fs";
import send from "@fastify/send";
import { OK, type Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";

/** Sources of handlers and pages: a declined request must not print them (mod_python did, list 2006-03). */
const sourceFile = /\.(?:ts|tsx|mts|cts|tsp)(?:[~.#].*|~)?$/i;

/** For a file whose type Apache does not know (httpd directive TypesConfig): the browser must not guess. */
const defaultType = "application/octet-stream";

type Found = Awaited<ReturnType<typeof send>>;

/** Headers that decide what part of the file is sent, if any. */
const conditional = [
  "range",
  "if-range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
] as const;

/** Answers with the file of the request. Gives `OK`, or the status for the error page. */
export async function serveFile(req: ApacheRequest): Promise<Outcome> {
  const { filename } = req;
  const status = await refuse(req);
  if (status !== OK) return status;
  if (req.method === "OPTIONS") {
    req.headersOut.set("Allow", "GET,HEAD,OPTIONS");
    return OK;
  }
  const found = await send(
    pick(req),
    encodeURI(basename(filename)).replace(/[?#]/g, encodeURIComponent),
    {
      root: dirname(filename),
      dotfiles: "allow",
      index: false,
      cacheControl: false,
      contentType: false,
    },
  );
  return found.type === "error" ? fail(req, found) : deliver(req, found);
}

/** 412 and 416; the latter says how long the file is (RFC 9110, section 15.5.17). */
function fail(req: ApacheRequest, { statusCode, headers }: Found): Outcome {
  const range = headers["content-range"] ?? headers["Content-Range"];
  if (range) req.errHeadersOut.set("Content-Range", range);
  return statusCode;
}

async function deliver(
  req: ApacheRequest,
  { statusCode, headers, stream }: Found,
): Promise<Outcome> {
  req.status = statusCode;
  for (const [name, value] of Object.entries(headers)) req.headersOut.set(name, String(value));
  // A multipart/byteranges answer would bring its own type.
  if (!req.headersOut.has("content-type")) req.contentType = req.contentType || defaultType;
  if (statusCode === 304 || req.headerOnly) {
    stream.destroy();
    return OK;
  }
  for await (const chunk of stream) {
    req.write(chunk as Buffer);
    await req.flush();
  }
  return OK;
}

async function refuse(req: ApacheRequest): Promise<Outcome> {
  // Extra path after a file means another resource than the file (httpd directive AcceptPathInfo).
  const stats = req.pathInfo ? undefined : await statFile(req.filename);
  if (!stats?.isFile()) return 404;
  if (sourceFile.test(req.filename)) return 403;
  if (!["GET", "HEAD", "OPTIONS"].includes(req.method)) {
    req.errHeadersOut.set("Allow", "GET,HEAD,OPTIONS");
    return 405;
  }
  return OK;
}

async function statFile(filename: string): Promise<Stats | undefined> {
  try {
    return await stat(filename);
  } catch {
    // Missing and forbidden look the same from outside.
    return undefined;
  }
}

/** As much of a request as the file sender looks at. */
function pick(req: ApacheRequest): Parameters<typeof send>[0] {
  const headers: Record<string, string> = {};
  for (const name of conditional) {
    const value = req.headersIn.get(name);
    if (value !== undefined) headers[name] = value;
  }
  return { method: req.method, headers } as unknown as Parameters<typeof send>[0];
}
