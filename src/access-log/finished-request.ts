/** A line of the access log that `apache-conf/mod_ts.conf` writes, as a request object. */
import type { Readable } from "node:stream";
import { ModTsError } from "../base/errors.ts";
import { targetOf } from "../engine/apache-context.ts";
import { type Directives, DirectivesCache } from "../engine/directives.ts";
import { decodeHeader, parseNotes } from "../request/headers.ts";
import { emptyContext, type Exchange, type RequestContext } from "../request/exchange.ts";
import { ApacheRequest } from "../request/request.ts";

/** Members of a line; of strings each character is a byte, and `-` stands for none. */
interface Line {
  /** Microseconds since 1970. */
  readonly time: number;
  /** Microseconds. */
  readonly duration: number;
  readonly status: number;
  readonly bytes: number;
  /** `X`: the client disconnected before the response was complete. */
  readonly connection: string;
  readonly client: string;
  readonly clientPort: string;
  readonly peer: string;
  readonly user: string;
  /** Set by a ticket, and by the user of a decision, in place of {@link user}. */
  readonly remoteUser: string;
  readonly method: string;
  readonly request: string;
  readonly protocol: string;
  readonly uri: string;
  readonly query: string;
  readonly server: string;
  readonly port: string;
  readonly file: string;
  readonly type: string;
  readonly host: string;
  readonly referer: string;
  readonly agent: string;
  readonly id: string;
  /** Of the authorizer's handlers. */
  readonly notes: string;
  /** Handler after the last internal redirect, and that of the gateway. */
  readonly handler: string;
  readonly gateway: string;
  /** The scheme, then `log a.ts b.ts` of each section. */
  readonly log: string;
}

/** A request that Apache has served. Nothing of the response can be changed any more. */
class FinishedRequest extends ApacheRequest {
  override readonly requestTime: number;
  readonly #line: Line;

  constructor(context: RequestContext, line: Line) {
    super(context, new FinishedExchange(line.connection === "X"));
    this.#line = line;
    this.requestTime = line.time / 1e6;
  }

  override get duration(): number {
    return this.#line.duration / 1e6;
  }
  override get status(): number {
    return this.#line.status;
  }
  override set status(status: number) {
    super.status = status;
  }
  override get bytesSent(): number {
    return this.#line.bytes;
  }
  override get sentBodyCt(): number {
    return this.#line.bytes;
  }
}

/** A response that has been sent. */
class FinishedExchange implements Exchange {
  readonly signal: AbortSignal;
  readonly hasBody = false;
  readonly begun = true;
  readonly ended = true;

  constructor(isAborted: boolean) {
    this.signal = isAborted ? AbortSignal.abort() : new AbortController().signal;
  }

  body(): Readable {
    throw new ModTsError("MODTS_NO_BODY");
  }
  begin(): void {}
  write(): boolean {
    return true;
  }
  async drain(): Promise<void> {}
  end(): void {}
  abort(): void {}
}

/** Reads lines; the directives of a section are parsed once. */
export class LineReader {
  readonly #interpreter: string;
  readonly #directives: DirectivesCache;

  /**
   * @param interpreter Name of the pool
   * @param sidecar Its name, where Apache has several
   */
  constructor(interpreter: string, sidecar = "") {
    this.#interpreter = interpreter;
    this.#directives = new DirectivesCache(sidecar);
  }

  /**
   * The request of a line; undefined where the gateway has run its log handlers.
   * @param line Bytes without the line feed
   * @param since Seconds since 1970; requests that ended before are left out
   * @throws ModTsError `MODTS_ACCESS_LOG_LINE`, `MODTS_BAD_CONFIG_LINE`, `MODTS_BAD_REFERENCE`
   */
  read(line: Buffer, since = 0): { req: ApacheRequest; directives: Directives } | undefined {
    const entry = parseLine(line);
    if (entry.handler !== "-" && entry.handler === entry.gateway) return undefined;
    if ((entry.time + entry.duration) / 1e6 < since) return undefined;
    const [scheme = "", ...lines] = decodeHeader(entry.log).split("\n");
    const directives = this.#directives.get(lines.filter((text) => text.startsWith("log ")));
    const context = contextOf(entry, scheme, directives, this.#interpreter);
    return { req: new FinishedRequest(context, entry), directives };
  }
}

/**
 * httpd escapes as in C: all bytes above 126 and control characters as `\xhh`, which JSON does not
 * know, nor `\v` (httpd: `ap_escape_logitem`). It writes an empty user as two quotes (`log_remote_user`).
 *
 * Attack: a client leaves its name empty, and its requests are in no log. A quote that is part of a
 * value is escaped, so nothing else looks like this.
 */
function parseLine(line: Buffer): Line {
  const text = line.toString("latin1");
  const json = text
    .replace('"user":""""', '"user":""')
    .replaceAll(/\\(?:x([0-9a-f]{2})|(v)|.)/g, (escape, hex?: string, tab?: string) =>
      hex ? `\\u00${hex}` : tab ? "\\u000b" : escape,
    );
  try {
    return JSON.parse(json) as Line;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ModTsError("MODTS_ACCESS_LOG_LINE", { reason, line: text.slice(0, 200) });
  }
}

function contextOf(
  entry: Line,
  scheme: string,
  { options, debug }: Directives,
  interpreter: string,
): RequestContext {
  const { method } = entry;
  const requestLine = decodeHeader(entry.request);
  return {
    ...emptyContext,
    method,
    requestLine,
    target: targetOf(requestLine),
    protocol: entry.protocol,
    scheme,
    uri: decodeHeader(entry.uri),
    args: decodeHeader(entry.query).slice(1),
    filename: textOf(entry.file),
    contentType: textOf(entry.type),
    user: textOf(entry.user) || textOf(entry.remoteUser),
    serverName: entry.server,
    serverPort: Number(entry.port),
    remoteAddress: entry.client,
    remotePort: Number(entry.clientPort),
    connectionAddress: entry.peer,
    uniqueId: textOf(entry.id),
    rawHeaders: headersOf(entry),
    notes: parseNotes(textOf(entry.notes)),
    options,
    interpreter,
    debug,
  };
}

function headersOf({ host, referer, agent }: Line): string[] {
  const headers = { Host: host, Referer: referer, "User-Agent": agent };
  return Object.entries(headers).flatMap(([name, value]) => (value === "-" ? [] : [name, value]));
}

function textOf(field: string): string {
  return field === "-" ? "" : decodeHeader(field);
}
