/**
 * What another server asks about: from the headers that nginx, Traefik, Caddy, HAProxy or Envoy set to a `RequestContext`.
 *
 * Attacks that this page answers:
 * 1. A client sends `X-Forwarded-Uri` itself, to a server that sets other headers, and has another address judged than the one that
 *    is served. Which headers count is said in the configuration and never guessed; a missing one, or one that comes twice, is a refusal.
 * 2. A path that servers read differently. `%2F` beside `..` is refused, as nobody knows what the asking server makes of it.
 * @module
 */
import type { IncomingMessage } from "node:http";
import type { Directives } from "../directives.ts";
import { ModTsError } from "../errors.ts";
import type { Dictionary, RequestContext } from "../request/exchange.ts";
import { decodePath } from "../request/requested-url.ts";
import { hostnameOf } from "../request/uri.ts";

/**
 * Which headers say what is asked about.
 * - `forwarded` (Traefik, Caddy, HAProxy): `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri`, and the last address of `X-Forwarded-For`.
 * - `original` (nginx): `X-Original-Method`, `X-Original-URL` (absolute), `X-Real-IP`.
 * - `path` (Envoy): the request itself, its path behind the name of the endpoint; `X-Forwarded-Proto`, and the last address of `X-Forwarded-For`.
 */
export type Convention = "forwarded" | "original" | "path";

/** The request that another server wants to know about. */
interface Asked {
  readonly method: string;
  readonly scheme: string;
  readonly host: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly address: string;
}

const none: Dictionary = Object.freeze(Object.create(null));

/** Headers between the two servers, and those that describe the request in place of belonging to it. */
const notTheClients =
  /^(?:connection|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*|content-length|host|forwarded|x-forwarded-.*|x-original-.*|x-real-ip|mod-ts-.*)$/i;

/**
 * @param rest what stands behind the name of the endpoint in the path
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
    ...unknown,
  };
}

export interface QuestionFacts {
  readonly convention: Convention;
  readonly directives: Pick<Directives, "options" | "debug">;
  readonly interpreter: string;
}

/** What only Apache could say. */
const unknown = {
  filename: "",
  pathInfo: "",
  contentType: "",
  documentRoot: "",
  contextPrefix: "",
  contextDocumentRoot: "",
  user: "",
  authType: "",
  serverAdmin: "",
  serverSoftware: "",
  uniqueId: "",
  environment: none,
  notes: none,
} as const;

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

/** A header that must be there once. */
function theOnly({ rawHeaders }: IncomingMessage, name: string): string {
  const lower = name.toLowerCase();
  const values = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === lower,
  );
  const [value = ""] = values;
  if (values.length > 1) throw invalid(`${name} comes twice`);
  if (value === "")
    throw new ModTsError("MODTS_CONTEXT_MISSING", { reason: `there is no ${name}` });
  return value;
}

/** The one that the asking server saw itself; those before it are what the client says. */
function lastAddress(message: IncomingMessage): string {
  const list = theOnly(message, "X-Forwarded-For");
  return list.slice(list.lastIndexOf(",") + 1).trim();
}

function readMethod(method: string): string {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(method)) return method;
  throw invalid("the method is none");
}

/** Traefik says `ws` and `wss` for a WebSocket handshake. */
function readScheme(scheme: string): string {
  const plain = scheme.toLowerCase().replace(/^ws/, "http");
  if (plain === "http" || plain === "https") return plain;
  throw invalid("the scheme is neither http nor https");
}

function readHost(host: string): string {
  if (/^(?:\[[0-9a-f:.]+\]|[\w.~-]+)(?::\d{1,5})?$/i.test(host)) return host;
  throw invalid("the host is none");
}

/** Path and query; a fragment belongs to neither. */
function split(target: string): string[] {
  if (!/^\/[^\x00-\x20\x7f]*$/.test(target)) throw badUrl("it must be a path");
  const [, path = "", args = ""] = /^([^?#]*)(?:\?([^#]*))?/.exec(target) ?? [];
  return [path, args];
}

function readPath(path: string): string {
  if (/%(?![0-9a-f]{2})/i.test(path)) throw badUrl("a % is not followed by two hex digits");
  if (/%00/.test(path)) throw badUrl("it holds a zero byte");
  const isOdd = /%2f|%5c|\\/i.test(path);
  const plain = path.replaceAll(/%2e/gi, ".").replaceAll(/%2f|%5c|\\/gi, "/");
  if (isOdd && /\/\.\.?(?:\/|$)/.test(plain)) throw badUrl("it holds an escaped slash beside ..");
  return decodePath(path);
}

function clientHeaders(raw: readonly string[], host: string): string[] {
  const headers = ["Host", host];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    if (!notTheClients.test(name)) headers.push(name, raw[index + 1] as string);
  }
  return headers;
}

function badUrl(reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_URL", { reason });
}

function invalid(reason: string): ModTsError {
  return new ModTsError("MODTS_CONTEXT_INVALID", { reason });
}
