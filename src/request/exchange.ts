/**
 * The seam between the doors and everything below them: what a peer said, and a way to answer it.
 *
 * A door builds one {@link RequestContext} and one {@link Exchange} for a request; `ApacheRequest` is made of the two
 * and of nothing else, so that the engine, the handlers and the request API know no transport.
 * @module
 */
import type { Readable } from "node:stream";

/** A bag of names and values; safe to index with any name, as it has no prototype. */
export type Dictionary = Readonly<Record<string, string>>;

/** What Apache knows of the request. Every value comes from Apache itself, never straight from the client. */
export interface RequestContext {
  /** Method as sent, e.g. `GET`. */
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
  /** Query string as sent, without `?`; empty when there is none. httpd: `QUERY_STRING`. */
  readonly args: string;
  /** File that Apache mapped the URL to. httpd: `REQUEST_FILENAME`. */
  readonly filename: string;
  /** What follows the file in the URL, decoded. httpd: `PATH_INFO`. */
  readonly pathInfo: string;
  /** Media type that Apache gives the file; empty when it has none. httpd: `CONTENT_TYPE`. */
  readonly contentType: string;
  /** httpd: `DOCUMENT_ROOT`. */
  readonly documentRoot: string;
  /** URL prefix of an `Alias` in force, else empty. httpd: `CONTEXT_PREFIX`. */
  readonly contextPrefix: string;
  /** Folder that {@link contextPrefix} stands for. httpd: `CONTEXT_DOCUMENT_ROOT`. */
  readonly contextDocumentRoot: string;
  /** User that an earlier phase established, else empty. httpd: `REMOTE_USER`. */
  readonly user: string;
  /** httpd: `AUTH_TYPE`; empty when nobody authenticated. */
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
  /** Headers of the client in the order sent, name and value alternating, ours left out. */
  readonly rawHeaders: readonly string[];
  /** `Use TsOption key value`, merged. */
  readonly options: Dictionary;
  /** Variables of Apache's environment that the configuration passes on, `SSL_*` among them. */
  readonly environment: Dictionary;
  /** Notes that an earlier phase left behind. */
  readonly notes: Dictionary;
  /** Name of the pool that runs the request. */
  readonly interpreter: string;
  /** `Use TsDebug On`. */
  readonly debug: boolean;
  /** How a call back of ours led here; undefined for a request of the client's own. */
  readonly passage?: Passage | undefined;
}

/** A request that the sidecar sent to Apache itself, on behalf of a client. */
export interface Passage {
  /** `pass`: for what Apache serves without our handlers; it must never come back to one. `redirect`: to another address. */
  readonly kind: "pass" | "redirect";
  /** How many such calls led here, from 1. */
  readonly depth: number;
  /** Who redirected here. */
  readonly previous?: PreviousRequest | undefined;
}

/** What a redirected request knows of the one before it; httpd: `r->prev`. */
export interface PreviousRequest {
  readonly method: string;
  /** Request target as sent, escapes and query included. */
  readonly unparsedUri: string;
  /** Path of the URL, decoded. */
  readonly uri: string;
  /** The user that it had established, else null. */
  readonly user: string | null;
  /** The notes that its handlers left. */
  readonly notes: Dictionary;
}

/** A way to read the request body and to answer. Owned by the door, lives as long as the request. */
export interface Exchange {
  /** Aborts when the client goes away before the response is complete. */
  readonly signal: AbortSignal;
  /** The request body, to be read once, after transfer decoding. Over the limit it errors with `MODTS_BODY_TOO_LARGE`. */
  body(): Readable;
  /** Whether the peer announced a body (`Content-Length` above 0 or `Transfer-Encoding`). */
  readonly hasBody: boolean;
  /**
   * Sends status line and headers, once. `headers` holds names and values alternating, repeated names allowed.
   * The door adds nothing but framing: without a `content-length` the body is chunked.
   */
  begin(status: number, reason: string, headers: string[]): void;
  /** Sends "103 Early Hints" (RFC 8297) ahead of the answer, where the transport can. */
  hint?(headers: Readonly<Record<string, string | string[]>>): void;
  /**
   * Sends a part of the body. Returns false when the peer is slower: then wait for {@link drain}.
   * @param left Called when the chunk has left and nobody looks at it any more; never after a failure.
   */
  write(chunk: Uint8Array | string, left?: () => void): boolean;
  /** Resolves when more may be written, or when the client has gone. */
  drain(): Promise<void>;
  /** Ends the body, with a last part if given; text is sent as UTF-8 unless another encoding is said. */
  end(chunk?: Uint8Array | string, encoding?: "utf8" | "latin1"): void;
  /**
   * Breaks the answer off: the connection to the peer is torn, so that a body that cannot be completed looks truncated
   * to the client and never like a success. Does nothing when the answer is complete.
   */
  abort(): void;
  /** Whether Apache answers a bare status itself: with its ErrorDocument, and a challenge on 401. */
  readonly hasErrorDocuments?: boolean;
  /** Bytes that have come from the peer; grows while a request body arrives. Undefined: nothing arrives any more. */
  readonly received?: number;
  /** Whether {@link begin} was called. */
  readonly begun: boolean;
  /** Whether {@link end} was called, or the client has gone. */
  readonly ended: boolean;
}
