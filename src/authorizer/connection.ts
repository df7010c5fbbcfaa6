/**
 * The state of one FastCGI connection: bytes in, events and replies out. Pure: it owns no socket and no timer, so that a
 * fuzzer can drive it.
 *
 * Attacks that this page answers: records cut anywhere, unknown types, ids that are not open or open twice, parameters
 * without end, a million empty records. Each ends in a reply of the protocol or in `close`; none ends in a request that
 * the peer did not complete, because an authorizer that guesses lets people in.
 *
 * Source: FastCGI Specification 1.0, sections 3 to 6.
 * @module
 */
import { type Pairs, readPairs, writePairs } from "./params.ts";
import {
  FCGI_ABORT_REQUEST,
  FCGI_AUTHORIZER,
  FCGI_BEGIN_REQUEST,
  FCGI_CANT_MPX_CONN,
  FCGI_GET_VALUES,
  FCGI_GET_VALUES_RESULT,
  FCGI_NULL_REQUEST_ID,
  FCGI_PARAMS,
  FCGI_UNKNOWN_ROLE,
  FCGI_VERSION_1,
  type RawRecord,
  readBeginRequest,
  readRecord,
  writeEndRequest,
  writeRecord,
  writeUnknownType,
} from "./record.ts";

/** Bounds on what a peer can make a connection hold. */
export interface ConnectionLimits {
  /** Records on one connection. @default 10_000 */
  readonly records: number;
  /** Bytes of parameters of all open requests together. @default 1 MiB */
  readonly parameterBytes: number;
  /** Requests that one connection may have open at a time. @default 16 */
  readonly requests: number;
}

export const defaultLimits: ConnectionLimits = {
  records: 10_000,
  parameterBytes: 1024 ** 2,
  requests: 16,
};

/** What the bytes meant. */
export type ConnectionEvent =
  /** All parameters of an authorizer request are here. */
  | { type: "request"; id: number; keepConnection: boolean; params: Pairs }
  /** The peer takes a request back. */
  | { type: "abort"; id: number }
  /** Send these bytes. */
  | { type: "reply"; bytes: Buffer }
  /** Send what was asked to be sent, then close; nothing that comes later counts. */
  | { type: "close"; reason: string };

/** A request whose parameters are still coming. */
interface OpenRequest {
  readonly keepConnection: boolean;
  readonly chunks: Buffer[];
}

/** Values that `FCGI_GET_VALUES` may ask for (section 4.1). */
const variables: Readonly<Record<string, (limits: ConnectionLimits) => string>> = {
  FCGI_MAX_CONNS: () => "1024",
  FCGI_MAX_REQS: () => "1024",
  FCGI_MPXS_CONNS: ({ requests }) => (requests > 1 ? "1" : "0"),
};

export class FcgiConnection {
  readonly #limits: ConnectionLimits;
  readonly #open = new Map<number, OpenRequest>();
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #records = 0;
  #parameterBytes = 0;
  #closed = false;

  constructor(limits: ConnectionLimits = defaultLimits) {
    this.#limits = limits;
  }

  /** Takes bytes as they come off the wire, cut anywhere. */
  push(bytes: Buffer): ConnectionEvent[] {
    const events: ConnectionEvent[] = [];
    if (this.#closed || bytes.length === 0) return events;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (!this.#speaksFastCgi()) return [this.#close()];
    if (!this.#hasRecord()) return events;
    const whole = Buffer.concat(this.#pending);
    let at = 0;
    for (let read = readRecord(whole, at); read && !this.#closed; read = readRecord(whole, at)) {
      at = read.end;
      const event = this.#take(read.record);
      if (event) events.push(event);
      if (event?.type === "close") this.#closed = true;
    }
    this.#pending = this.#closed || at === whole.length ? [] : [whole.subarray(at)];
    this.#pendingBytes = whole.length - at;
    return this.#speaksFastCgi() ? events : [...events, this.#close()];
  }

  /**
   * Whether the next record begins as one. An HTTP client would be taken for a record of 12,064 bytes, and nobody would learn
   * why it waits.
   */
  #speaksFastCgi(): boolean {
    return (this.#pending[0]?.[0] ?? FCGI_VERSION_1) === FCGI_VERSION_1;
  }

  #close(): ConnectionEvent {
    const version = this.#pending[0]?.[0];
    this.#closed = true;
    this.#pending = [];
    return close(`protocol version ${version}`);
  }

  /** Whether a whole record is there: one byte at a time must not make each push copy all that came before. */
  #hasRecord(): boolean {
    if (this.#pendingBytes < 8) return false;
    if ((this.#pending[0]?.length ?? 0) < 8) this.#pending = [Buffer.concat(this.#pending)];
    const head = this.#pending[0] as Buffer;
    return this.#pendingBytes >= 8 + head.readUInt16BE(4) + head.readUInt8(6);
  }

  #take(record: RawRecord): ConnectionEvent | undefined {
    this.#records += 1;
    if (record.version !== FCGI_VERSION_1) return close(`protocol version ${record.version}`);
    if (this.#records > this.#limits.records) return close("too many records");
    if (record.requestId === FCGI_NULL_REQUEST_ID) return this.#manage(record);
    if (record.type === FCGI_BEGIN_REQUEST) return this.#begin(record);
    if (record.type === FCGI_PARAMS) return this.#addParams(record);
    if (record.type === FCGI_ABORT_REQUEST) return this.#abort(record.requestId);
    // Bodies are nothing to an authorizer, and an unknown application record is passed over.
    return undefined;
  }

  #manage({ type, content }: RawRecord): ConnectionEvent {
    if (type !== FCGI_GET_VALUES) return reply(writeUnknownType(type));
    const asked = readPairs(content);
    if (!asked) return close("malformed FCGI_GET_VALUES");
    const names = new Set(
      asked.map(([name]) => name).filter((name) => Object.hasOwn(variables, name)),
    );
    const pairs = Array.from(
      names,
      (name) => [name, variables[name]?.(this.#limits) ?? ""] as const,
    );
    return reply(writeRecord(FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, writePairs(pairs)));
  }

  #begin({ requestId, content }: RawRecord): ConnectionEvent | undefined {
    const begin = readBeginRequest(content);
    if (!begin) return close("malformed FCGI_BEGIN_REQUEST");
    if (this.#open.has(requestId)) return close(`request ${requestId} begins twice`);
    if (begin.role !== FCGI_AUTHORIZER) return reply(writeEndRequest(requestId, FCGI_UNKNOWN_ROLE));
    if (this.#open.size >= this.#limits.requests) {
      return reply(writeEndRequest(requestId, FCGI_CANT_MPX_CONN));
    }
    this.#open.set(requestId, { keepConnection: begin.keepConnection, chunks: [] });
    return undefined;
  }

  #addParams({ requestId, content }: RawRecord): ConnectionEvent | undefined {
    const request = this.#open.get(requestId);
    // Section 3.3: records of a request that is not open are ignored.
    if (!request) return undefined;
    if (content.length === 0) return this.#complete(requestId, request);
    this.#parameterBytes += content.length;
    if (this.#parameterBytes > this.#limits.parameterBytes) return close("too many parameters");
    request.chunks.push(Buffer.from(content));
    return undefined;
  }

  #complete(id: number, request: OpenRequest): ConnectionEvent {
    const params = readPairs(this.#forget(id));
    if (!params) return close("malformed FCGI_PARAMS");
    return { type: "request", id, keepConnection: request.keepConnection, params };
  }

  #abort(id: number): ConnectionEvent {
    this.#forget(id);
    return { type: "abort", id };
  }

  /** Gives back what a request holds: its parameters so far. */
  #forget(id: number): Buffer {
    const bytes = Buffer.concat(this.#open.get(id)?.chunks ?? []);
    this.#open.delete(id);
    this.#parameterBytes -= bytes.length;
    return bytes;
  }
}

function close(reason: string): ConnectionEvent {
  return { type: "close", reason };
}

function reply(bytes: Buffer): ConnectionEvent {
  return { type: "reply", bytes };
}
