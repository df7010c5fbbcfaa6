/** A single request through the engine without Apache, for `mod-ts run` and `mod-ts/testing`. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { attempt } from "../base/attempt.ts";
import { reasonPhrase } from "../base/http-status.ts";
import type { ResolvedConfig } from "../config/config.ts";
import { createDirectives } from "../engine/directives.ts";
import type { PhaseName } from "../engine/handler.ts";
import { emptyContext, type Exchange, type RequestContext } from "../request/exchange.ts";
import { ApacheRequest } from "../request/request.ts";
import type { Parts } from "../worker.ts";

export interface SingleRequest {
  /** A list of handlers for each phase, e.g. `hello.ts::name`. */
  handlers: Partial<Record<PhaseName, string>>;
  method: string;
  /** Absolute. */
  url: URL;
  /** Names and values alternating. */
  headers: readonly string[];
  body?: Uint8Array | undefined;
  /** `Use TsOption key value`. */
  options: readonly (readonly [string, string])[];
  /** Authenticated user; may be empty. */
  user: string;
  debug: boolean;
}

/** The head of a response, and its body as it comes. */
export interface SingleResponse {
  readonly status: number;
  readonly reason: string;
  /** Names and values alternating. */
  readonly headers: readonly string[];
  readonly body: Readable;
}

/** A response, and the end of the request, after log and cleanup handlers. */
export interface SingleExchange {
  readonly response: Promise<SingleResponse>;
  readonly ended: Promise<void>;
}

/**
 * Without a content handler, only the phases before it run; an empty 200 means that they let the
 * request pass. Throws `MODTS_BAD_REFERENCE`.
 */
export function serveSingleRequest(
  parts: Pick<Parts, "engine">,
  config: ResolvedConfig,
  request: SingleRequest,
): SingleExchange {
  const { options, debug } = request;
  const handlers = Object.entries(request.handlers) as [PhaseName, string][];
  const directives = createDirectives({
    handlers: handlers.map(([phase, text]) => [phase, text.replace(/^\S+\.tsp$/, "mod_ts/pages")]),
    options: options.map(([key, value]) => [key, value]),
    debug,
  });
  const exchange = new MemoryExchange(request.body);
  const context = createContext(config, request, directives.options);
  const req = new ApacheRequest(context, exchange);
  const ended = directives.handlers.has("handler")
    ? Promise.resolve(parts.engine.run(req, directives))
    : parts.engine.authorize(req, directives).then((passes) => {
        if (passes) exchange.pass();
      });
  return { response: exchange.response, ended };
}

function createContext(
  config: ResolvedConfig,
  request: SingleRequest,
  options: RequestContext["options"],
): RequestContext {
  const { url, method, headers, user, debug } = request;
  // Invalid UTF-8 stays escaped.
  const uri = attempt(() => decodeURIComponent(url.pathname), url.pathname);
  const documentRoot = config.handlers[0] ?? config.directory;
  const page = request.handlers.handler;
  const mapped = page?.endsWith(".tsp")
    ? { filename: join(documentRoot, page), pathInfo: "" }
    : mapToFile(documentRoot, uri);
  return {
    ...emptyContext,
    ...mapped,
    method,
    requestLine: `${method} ${url.pathname}${url.search} HTTP/1.1`,
    target: url.pathname + url.search,
    protocol: "HTTP/1.1",
    scheme: url.protocol.slice(0, -1),
    uri,
    args: url.search.slice(1),
    documentRoot,
    contextDocumentRoot: documentRoot,
    user,
    authType: user ? "Basic" : "",
    serverName: url.hostname,
    serverPort: Number(url.port) || (url.protocol === "https:" ? 443 : 80),
    remoteAddress: "127.0.0.1",
    remotePort: 0,
    connectionAddress: "127.0.0.1",
    rawHeaders: ["Host", url.host, ...headers],
    options,
    interpreter: "main",
    debug,
  };
}

/** As httpd maps a URL: the rest of the path after a file is its path info. */
function mapToFile(root: string, uri: string): { filename: string; pathInfo: string } {
  for (let end = uri.indexOf("/", 1); end > 0; end = uri.indexOf("/", end + 1)) {
    const filename = root + uri.slice(0, end);
    const isFile = attempt(() => statSync(filename).isFile(), false);
    if (isFile) return { filename, pathInfo: uri.slice(end) };
  }
  return { filename: root + uri, pathInfo: "" };
}

class MemoryExchange implements Exchange {
  readonly signal: AbortSignal = new AbortController().signal;
  readonly hasBody: boolean;
  readonly received = 0;
  readonly #requestBody: Uint8Array | undefined;
  readonly #body = new PassThrough();
  readonly #begun = Promise.withResolvers<SingleResponse>();
  begun = false;
  ended = false;

  constructor(body: Uint8Array | undefined) {
    this.#requestBody = body;
    this.hasBody = body !== undefined;
  }

  get response(): Promise<SingleResponse> {
    return this.#begun.promise;
  }

  /** The response of access control that let the request pass. */
  pass(): void {
    this.begin(200, undefined, []);
    this.end();
  }

  body(): Readable {
    return Readable.from(this.#requestBody ? [this.#requestBody] : []);
  }

  begin(status: number, reason: string | undefined, headers: string[]): void {
    this.begun = true;
    const body = this.#body;
    this.#begun.resolve({ status, reason: reason ?? reasonPhrase(status), headers, body });
  }

  write(chunk: Uint8Array | string): boolean {
    return this.#body.write(chunk);
  }

  drain(): Promise<void> {
    if (!this.#body.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#body.once("drain", resolve));
  }

  end(chunk?: Uint8Array | string): void {
    if (chunk !== undefined) this.#body.write(chunk);
    this.#body.end();
    this.ended = true;
  }

  abort(): void {
    this.#body.destroy(new Error("the response is incomplete"));
    this.ended = true;
  }
}
