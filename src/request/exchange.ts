/**
 * The seam between the transports and everything below them: a request, and a way to respond.
 *
 * A transport builds one {@link RequestContext} and one {@link Exchange} for a request;
 * `ApacheRequest` is made of these two only, so that the engine, the handlers and the request API
 * know no transport.
 */
import type { Readable } from "node:stream";
import { type Dictionary, emptyDictionary } from "../base/options.ts";

export type { Dictionary };

/** The request as Apache knows it: no value comes straight from the client. */
export interface RequestContext {
  readonly method: string;
  /** The request line as sent, e.g. `GET /a%2Fb?x=1 HTTP/1.1`. httpd: `THE_REQUEST`. */
  readonly requestLine: string;
  /** The request target as sent, escapes and query included, e.g. `/a%2Fb?x=1`. */
  readonly target: string;
  /** Protocol that the client spoke, e.g. `HTTP/1.1` or `HTTP/2.0`. */
  readonly protocol: string;
  /** `http` or `https`. httpd: `REQUEST_SCHEME`. */
  readonly scheme: string;
  /** Path of the URL, decoded, without the query. httpd: `REQUEST_URI`. */
  readonly uri: string;
  /** Query string as sent, without `?`; empty by default. httpd: `QUERY_STRING`. */
  readonly args: string;
  /** File that Apache mapped the URL to. httpd: `REQUEST_FILENAME`. */
  readonly filename: string;
  /** Path after the file, decoded. httpd: `PATH_INFO`. */
  readonly pathInfo: string;
  /** Media type of the file; empty if unknown. httpd: `CONTENT_TYPE`. */
  readonly contentType: string;
  /** httpd: `DOCUMENT_ROOT`. */
  readonly documentRoot: string;
  /** URL prefix of an `Alias` in force, else empty. httpd: `CONTEXT_PREFIX`. */
  readonly contextPrefix: string;
  /** Directory that {@link contextPrefix} stands for. httpd: `CONTEXT_DOCUMENT_ROOT`. */
  readonly contextDocumentRoot: string;
  /** Authenticated user, else empty. httpd: `REMOTE_USER`. */
  readonly user: string;
  /** httpd: `AUTH_TYPE`; empty without a user. */
  readonly authType: string;
  /** httpd: `SERVER_NAME`. */
  readonly serverName: string;
  /** httpd: `SERVER_PORT`. */
  readonly serverPort: number;
  /** httpd: `SERVER_ADMIN`. */
  readonly serverAdmin: string;
  /** httpd: `SERVER_SOFTWARE`. */
  readonly serverSoftware: string;
  /** Address of the client, after mod_remoteip. httpd: `REMOTE_ADDR`. */
  readonly remoteAddress: string;
  /** httpd: `REMOTE_PORT`. */
  readonly remotePort: number;
  /** Address of the TCP peer, before mod_remoteip. httpd: `CONN_REMOTE_ADDR`. */
  readonly connectionAddress: string;
  /** Id of the request in Apache's own log. httpd: `UNIQUE_ID`. */
  readonly uniqueId: string;
  /** Headers of the client in the order sent, name and value alternating, without ours. */
  readonly rawHeaders: readonly string[];
  /** `Use TsOption key value`, merged. */
  readonly options: Dictionary;
  /** Variables of Apache's environment passed on by the configuration, such as `SSL_*`. */
  readonly environment: Dictionary;
  /** Notes of an earlier phase. */
  readonly notes: Dictionary;
  /** Name of the pool. */
  readonly interpreter: string;
  /** `Use TsDebug On`. */
  readonly debug: boolean;
  /** The callback that led here; undefined for a request of the client's own. */
  readonly callback?: CallbackInfo | undefined;
  /** Phases before the content that run here, and not in a callback. */
  readonly decided?: DecidedPhases | undefined;
}

/** Phases that Apache would ask about again in a callback. */
export interface DecidedPhases {
  /** As configured, e.g. `fixup policy.ts`. */
  readonly lines: readonly string[];
  /** `env.NAME` and `in.Name`, in lower case: what handlers may change for Apache. */
  readonly accepted: ReadonlySet<string>;
}

/** What only Apache knows, for requests that come another way. */
export const emptyContext = {
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
  environment: emptyDictionary,
  notes: emptyDictionary,
} as const;

/** A request that the sidecar sent to Apache itself, on behalf of a client. */
export interface CallbackInfo {
  /** `pass`: to the original, without our handlers. `redirect`: to another URL. */
  readonly kind: "pass" | "redirect";
  /** Number of callbacks that led here, from 1. */
  readonly depth: number;
  /** The request that redirected here. */
  readonly previous?: PreviousRequest | undefined;
}

/** The request that another one is a part of; httpd: `r->main`. */
export interface MainRequest {
  readonly method: string;
  /** Request target as sent. */
  readonly unparsedUri: string;
  /** Path of the URL, decoded. */
  readonly uri: string;
}

/** The request before an internal redirect; httpd: `r->prev`. */
export interface PreviousRequest extends MainRequest {
  /** Its user, else null. */
  readonly user: string | null;
  readonly notes: Dictionary;
}

/** Access to request body and response, owned by the transport as long as the request lives. */
export interface Exchange {
  /** Aborts if the client disconnects before the response is complete. */
  readonly signal: AbortSignal;
  /** The decoded body, to be read once. Over the limit it errors with `MODTS_BODY_TOO_LARGE`. */
  body(): Readable;
  /** Whether the peer announced a body (`Content-Length` above 0 or `Transfer-Encoding`). */
  readonly hasBody: boolean;
  /** Whether the client sends its body only when it is asked for: by {@link body}. */
  readonly awaitsContinue?: boolean;
  /**
   * Sends status line and headers, once. `headers` alternates names and values, repeated names
   * allowed. Without `reason`, the standard phrase. The transport adds only framing: without a
   * `content-length` the body is chunked.
   */
  begin(status: number, reason: string | undefined, headers: string[]): void;
  /** Sends "103 Early Hints" (RFC 8297) before the response, where the transport can. */
  hint?(headers: Readonly<Record<string, string | string[]>>): void;
  /**
   * Sends a part of the body. Returns false when the peer is slower: then wait for {@link drain}.
   * @param left Called when the chunk was sent and is not used any more; never after a failure.
   */
  write(chunk: Uint8Array | string, left?: () => void): boolean;
  /** Resolves when more may be written, or when the client has disconnected. */
  drain(): Promise<void>;
  /** Ends the body, with a last part if given; text is sent as UTF-8 by default. */
  end(chunk?: Uint8Array | string, encoding?: "utf8" | "latin1"): void;
  /**
   * Closes the connection to the peer, so that an incomplete response looks truncated to the client
   * and never like a success. No effect after a complete response.
   */
  abort(): void;
  /** Sends at once what the transport collects until a decision: the process ends. */
  flush?(): void;
  /** Whether Apache responds to a bare status itself: ErrorDocument, and a challenge on 401. */
  readonly hasErrorDocuments?: boolean;
  /** Whether Apache continues after the phases, with another path if handlers have set one. */
  readonly goesOn?: boolean;
  /** Whether filters change the response; the engine waits for them. */
  readonly isFiltered?: boolean;
  /** Error pages of mod_ts are not filtered. */
  bypass?(): void;
  /** Whether filters give the body another length than the client announced. */
  readonly changesBody?: boolean;
  /** The length after filters, if all of it is there. */
  readonly changedLength?: number | undefined;
  /** Bytes received from the peer; grows while a request body arrives. Undefined: never grows. */
  readonly received?: number;
  readonly begun: boolean;
  /** Whether {@link end} was called, or the client has disconnected. */
  readonly ended: boolean;
}
