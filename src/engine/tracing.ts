/**
 * Spans of OpenTelemetry, for processes in which an SDK has registered itself.
 *
 * The span of a request continues that of the client (`traceparent`, W3C Trace Context) and is the
 * parent of what handlers and instrumented libraries create.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { attempt } from "../base/attempt.ts";
import { log } from "../base/log.ts";
import { version } from "../base/version.ts";
import type { ApacheRequest } from "../request/request.ts";
import type { Directives } from "./directives.ts";

/** What we use of `@opentelemetry/api`. */
interface OpenTelemetry {
  trace: {
    getTracer(name: string, version: string): Tracer;
    setSpan(context: object, span: Span): object;
  };
  propagation: { extract(context: object, carrier: ApacheRequest, getter: Getter): object };
  context: { with<T>(context: object, work: () => T): T };
  ROOT_CONTEXT: object;
  SpanKind: { SERVER: number };
  SpanStatusCode: { ERROR: number };
}

interface Tracer {
  startSpan(
    name: string,
    options: { kind: number; attributes: Record<string, string | number> },
    context: object,
  ): Span;
}

interface Span {
  setAttribute(name: string, value: string | number): void;
  setStatus(status: { code: number }): void;
  end(): void;
}

interface Getter {
  get(carrier: ApacheRequest, key: string): string | undefined;
  keys(carrier: ApacheRequest): string[];
}

/** Where `@opentelemetry/api` keeps what an SDK has registered, for all copies of the package. */
export const openTelemetry: unique symbol = Symbol.for("opentelemetry.js.api.1");

const getter: Getter = {
  get: (req, key) => req.headersIn.get(key) ?? undefined,
  keys: (req) => Array.from(req.headersIn.entries(), ([name]) => name),
};

export class Tracing {
  readonly #directory: string;
  #api: OpenTelemetry | null | undefined;

  /** @param directory of the configuration, where the package is looked up */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Runs `work` within a span. */
  span<T>(req: ApacheRequest, directives: Directives, work: () => Promise<T>): Promise<T> {
    if (this.#api === undefined) this.#api = loadApi(this.#directory);
    return this.#api ? traced(this.#api, req, directives, work) : work();
  }
}

/** The copy of the application first: a newer one of ours would not accept its SDK. */
function loadApi(directory: string): OpenTelemetry | null {
  for (const from of [join(directory, "package.json"), import.meta.url]) {
    const api = attempt(
      () => createRequire(from)("@opentelemetry/api") as OpenTelemetry,
      undefined,
    );
    if (api) return api;
  }
  log("warn", `no spans are created: @opentelemetry/api is not found in ${directory}`);
  return null;
}

async function traced<T>(
  api: OpenTelemetry,
  req: ApacheRequest,
  directives: Directives,
  work: () => Promise<T>,
): Promise<T> {
  const parent = api.propagation.extract(api.ROOT_CONTEXT, req, getter);
  const tracer = api.trace.getTracer("mod-ts", version);
  const options = { kind: api.SpanKind.SERVER, attributes: attributesOf(req) };
  const span = tracer.startSpan(nameOf(req, directives), options, parent);
  try {
    return await api.context.with(api.trace.setSpan(parent, span), work);
  } finally {
    span.setAttribute("http.response.status_code", req.status);
    if (req.status >= 500) span.setStatus({ code: api.SpanStatusCode.ERROR });
    span.end();
  }
}

/** By the handler, as a path would make a name for each request. */
function nameOf({ method }: ApacheRequest, { handlers }: Directives): string {
  const [handler] = handlers.get("handler")?.plain ?? [];
  return handler ? `${method} ${handler.text}` : `access check ${method}`;
}

/** Semantic conventions of OpenTelemetry for HTTP servers. The query may hold secrets. */
function attributesOf(req: ApacheRequest): Record<string, string | number> {
  const [path = ""] = req.unparsedUri.split("?");
  return {
    "http.request.method": req.method,
    "url.scheme": req.isHttps() ? "https" : "http",
    "url.path": path,
    "server.address": req.server.serverHostname,
    "client.address": req.useragentIp,
    "mod_ts.pool": req.interpreter,
    "mod_ts.unique_id": req.uniqueId,
  };
}
