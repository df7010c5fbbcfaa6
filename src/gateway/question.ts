/**
 * Questions of other servers: headers of nginx, Traefik, Caddy, HAProxy or Envoy as a
 * `RequestContext`.
 *
 * Attacks:
 * 1. A client sends `X-Forwarded-Uri` to a server that sets other headers, so that another address
 *    is checked than served. The configuration names the headers that count; a missing or repeated
 *    one is rejected.
 * 2. A path that servers interpret differently. `%2F`, `\` or `;` beside `..` is rejected.
 */
import type { IncomingMessage } from "node:http";
import type { Directives } from "../engine/directives.ts";
import { invalidContext, ModTsError } from "../base/errors.ts";
import { emptyContext, type RequestContext } from "../request/exchange.ts";
import { HeaderTable } from "../request/headers.ts";
import { decodePath, hidesDots, hostnameOf } from "../request/uri.ts";

/**
 * The headers that describe the request.
 * - `forwarded` (Traefik, Caddy, HAProxy): `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri`, and the
 *   last address of `X-Forwarded-For`.
 * - `original` (nginx): `X-Original-Method`, `X-Original-URL` (absolute), `X-Real-IP`.
 * - `path` (Envoy): the request itself, its path after the name of the endpoint;
 *   `X-Forwarded-Proto`, and the last address of `X-Forwarded-For`.
 */
export type Convention = "forwarded" | "original" | "path";

interface Asked {
  readonly method: string;
  readonly scheme: string;
  readonly host: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly address: string;
}

/** Headers between the two servers, and headers that describe the request. */
const notTheClients =
  /^(?:connection|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*|content-length|host|forwarded|x-forwarded-.*|x-original-.*|x-real-ip|mod-ts-.*)$/i;

/**
 * @param rest the path after the name of the endpoint
 * @throws ModTsError `MODTS_CONTEXT_MISSING`, `MODTS_CONTEXT_INVALID`, `MODTS_BAD_URL`
 */
export function readQuestion(
  message: IncomingMessage,
  rest: string,
  { convention, directives, interpreter }: QuestionFacts,
): RequestContext {
  const asked = readers[convention](message, rest);
  const [path = "", args = ""] = split(asked.target);
  const port = /:(\d+)$/.exec(asked.host)?.[1] ?? (asked.scheme === "https" ? 443 : 80);
  return {
    ...emptyContext,
    method: asked.method,
    requestLine: `${asked.method} ${asked.target} HTTP/1.1`,
    target: asked.target,
    protocol: "HTTP/1.1",
    scheme: asked.scheme,
    uri: readPath(path),
    args,
    serverName: hostnameOf("/", asked.host) ?? "",
    serverPort: Number(port),
    remoteAddress: asked.address,
    connectionAddress: asked.address,
    remotePort: 0,
    rawHeaders: clientHeaders(message.rawHeaders, asked.host),
    options: directives.options,
    debug: directives.debug,
    interpreter,
  };
}

export interface QuestionFacts {
  readonly convention: Convention;
  readonly directives: Pick<Directives, "options" | "debug">;
  readonly interpreter: string;
}

const readers: Readonly<Record<Convention, (message: IncomingMessage, rest: string) => Asked>> = {
  forwarded: (message) => ({
    method: readMethod(theOnly(message, "X-Forwarded-Method")),
    scheme: readScheme(theOnly(message, "X-Forwarded-Proto")),
    host: readHost(theOnly(message, "X-Forwarded-Host")),
    target: theOnly(message, "X-Forwarded-Uri"),
    address: lastAddress(message),
  }),
  original: (message) => {
    const url = theOnly(message, "X-Original-URL");
    const [, scheme = "", host = "", target = ""] = /^(\w+):\/\/([^/?#]*)([^]*)$/.exec(url) ?? [];
    return {
      method: readMethod(theOnly(message, "X-Original-Method")),
      scheme: readScheme(scheme),
      host: readHost(host),
      target: target || "/",
      address: theOnly(message, "X-Real-IP"),
    };
  },
  path: (message, rest) => ({
    method: readMethod(message.method ?? ""),
    scheme: readScheme(theOnly(message, "X-Forwarded-Proto")),
    host: readHost(theOnly(message, "Host")),
    target: rest || "/",
    address: lastAddress(message),
  }),
};

/** A header that must occur exactly once. */
function theOnly({ rawHeaders }: IncomingMessage, name: string): string {
  const [value = "", second] = HeaderTable.fromRaw(rawHeaders).getAll(name);
  if (second !== undefined) throw invalidContext(`${name} is repeated`);
  if (value === "") throw new ModTsError("MODTS_CONTEXT_MISSING", `there is no ${name}`);
  return value;
}

/** The address seen by the other server itself; earlier ones are claims of the client. */
function lastAddress(message: IncomingMessage): string {
  const list = theOnly(message, "X-Forwarded-For");
  const last = list.slice(list.lastIndexOf(",") + 1).trim();
  if (last === "") throw invalidContext("X-Forwarded-For ends without an address");
  return last;
}

function readMethod(method: string): string {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(method)) return method;
  throw invalidContext("the method is none");
}

/** Traefik sends `ws` and `wss` for WebSocket handshakes. */
function readScheme(scheme: string): string {
  const plain = scheme.toLowerCase().replace(/^ws/, "http");
  if (plain === "http" || plain === "https") return plain;
  throw invalidContext("the scheme is neither http nor https");
}

function readHost(host: string): string {
  if (/^(?:\[[0-9a-f:.]+\]|[\w.~-]+)(?::\d{1,5})?$/i.test(host)) return host;
  throw invalidContext("the host is none");
}

/** Without the fragment. */
function split(target: string): string[] {
  if (!/^\/[^\x00-\x20\x7f]*$/.test(target)) throw badUrl("it must be a path");
  const [, path = "", args = ""] = /^([^?#]*)(?:\?([^#]*))?/.exec(target) ?? [];
  return [path, args];
}

function readPath(path: string): string {
  if (/%(?![0-9a-f]{2})/i.test(path)) throw badUrl("a % is not followed by two hex digits");
  if (/%00/.test(path)) throw badUrl("it holds a zero byte");
  const isOdd = /%2f|%5c|\\|;|%3b/i.test(path);
  if (isOdd && hidesDots(path)) throw badUrl("it hides .. from some servers");
  return decodePath(path);
}

function clientHeaders(raw: readonly string[], host: string): string[] {
  const headers = ["Host", host];
  for (const [name, value] of HeaderTable.fromRaw(raw)) {
    if (!notTheClients.test(name)) headers.push(name, value);
  }
  return headers;
}

function badUrl(reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_URL", reason);
}
