/**
 * One request through the engine, with no Apache: what `mod-ts run` does.
 * @module
 */
import { Readable, type Writable } from "node:stream";
import type { ResolvedConfig } from "../config.ts";
import { parseDirectives } from "../directives.ts";
import type { Exchange, RequestContext } from "../request/exchange.ts";
import { ApacheRequest } from "../request/request.ts";
import { createParts } from "../worker.ts";

/** The request that Apache would have passed on. */
export interface OneRequest {
  /** Handler reference, e.g. `hello.ts::name`. */
  handler: string;
  method: string;
  /** Absolute URL. */
  url: URL;
  /** Names and values alternating. */
  headers: readonly string[];
  body?: Uint8Array | undefined;
  /** `Use TsOption key value`. */
  options: readonly string[];
  /** User that Apache would have authenticated; empty: none. */
  user: string;
  debug: boolean;
}

/** Writes status line, headers and body to `output`. Resolves with the status. */
export async function runOnce(
  config: ResolvedConfig,
  request: OneRequest,
  output: Writable,
): Promise<number> {
  const lines = [
    `handler ${request.handler}`,
    ...request.options.map((option) => `option ${option}`),
    ...(request.debug ? ["debug On"] : []),
  ];
  const directives = parseDirectives(lines);
  const parts = await createParts({ config, pool: "main", generation: 1 });
  const exchange = new OutputExchange(request.body, output);
  try {
    const context = createContext(config, request, directives.options);
    await parts.engine.run(new ApacheRequest(context, exchange), directives);
  } finally {
    await parts.close();
  }
  return exchange.status;
}

function createContext(
  config: ResolvedConfig,
  { url, method, headers, user, debug }: OneRequest,
  options: RequestContext["options"],
): RequestContext {
  const uri = decode(url.pathname);
  const documentRoot = config.handlers[0] ?? config.folder;
  const empty = Object.freeze(Object.create(null)) as RequestContext["notes"];
  return {
    method,
    requestLine: `${method} ${url.pathname}${url.search} HTTP/1.1`,
    target: url.pathname + url.search,
    protocol: "HTTP/1.1",
    scheme: url.protocol.slice(0, -1),
    uri,
    args: url.search.slice(1),
    filename: documentRoot + uri,
    pathInfo: "",
    contentType: "",
    documentRoot,
    contextPrefix: "",
    contextDocumentRoot: documentRoot,
    user,
    authType: user ? "Basic" : "",
    serverName: url.hostname,
    serverPort: Number(url.port) || (url.protocol === "https:" ? 443 : 80),
    serverAdmin: "",
    serverSoftware: "",
    remoteAddress: "127.0.0.1",
    remotePort: 0,
    connectionAddress: "127.0.0.1",
    uniqueId: "",
    rawHeaders: ["Host", url.host, ...headers],
    options,
    environment: empty,
    notes: empty,
    interpreter: "main",
    debug,
  };
}

/** Escapes that are no UTF-8 stay as they are. */
function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

class OutputExchange implements Exchange {
  readonly signal: AbortSignal = new AbortController().signal;
  readonly hasBody: boolean;
  status = 0;
  ended = false;
  readonly #body: Uint8Array | undefined;
  readonly #output: Writable;

  constructor(body: Uint8Array | undefined, output: Writable) {
    this.#body = body;
    this.#output = output;
    this.hasBody = body !== undefined;
  }

  get begun(): boolean {
    return this.status !== 0;
  }

  body(): Readable {
    return Readable.from(this.#body ? [this.#body] : []);
  }

  begin(status: number, reason: string, headers: string[]): void {
    this.status = status;
    const lines = [`HTTP/1.1 ${status} ${reason}`];
    for (let index = 0; index < headers.length; index += 2) {
      lines.push(`${headers[index]}: ${headers[index + 1]}`);
    }
    this.#output.write(`${lines.join("\n")}\n\n`);
  }

  write(chunk: Uint8Array | string): boolean {
    return this.#output.write(chunk);
  }

  drain(): Promise<void> {
    if (!this.#output.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#output.once("drain", resolve));
  }

  end(chunk?: Uint8Array | string): void {
    if (chunk !== undefined) this.#output.write(chunk);
    this.ended = true;
  }

  abort(): void {
    this.ended = true;
  }
}
