/**
 * FastCGI: the wire format, as pure functions over bytes, and the state of one connection, bytes in,
 * events and replies out, without socket and timer, so that a fuzzer can drive it.
 *
 * Attacks: records cut anywhere, unknown types, ids that are not open or open twice, endless
 * parameters, a million empty records. Each ends in a reply of the protocol or in `close`, none in
 * a request that the peer did not complete, which could grant access.
 *
 * Source: FastCGI Specification 1.0 (Open Market, 1996), sections 3 to 6 and 8.
 */
import { decodeBytes } from "../request/headers.ts";

export const FCGI_VERSION_1 = 1;

/** Record types; others are answered with `FCGI_UNKNOWN_TYPE` or ignored. */
export const FCGI_BEGIN_REQUEST = 1;
export const FCGI_ABORT_REQUEST = 2;
const FCGI_END_REQUEST = 3;
export const FCGI_PARAMS = 4;
export const FCGI_STDOUT = 6;
export const FCGI_GET_VALUES = 9;
export const FCGI_GET_VALUES_RESULT = 10;
const FCGI_UNKNOWN_TYPE = 11;

/** Role of `FCGI_BEGIN_REQUEST`. */
export const FCGI_AUTHORIZER = 2;

/** Protocol status of `FCGI_END_REQUEST`. */
export const FCGI_REQUEST_COMPLETE = 0;
export const FCGI_CANT_MPX_CONN = 1;
export const FCGI_UNKNOWN_ROLE = 3;

/** Id of management records, which belong to no request. */
export const FCGI_NULL_REQUEST_ID = 0;

const headerLength = 8;
const maximumContent = 65_535;

/** `content` is a view of the received bytes. */
export interface RawRecord {
  readonly version: number;
  readonly type: number;
  readonly requestId: number;
  readonly content: Buffer;
}

/** Content of `FCGI_BEGIN_REQUEST` (section 5.1). */
export interface BeginRequest {
  readonly role: number;
  /** Whether the connection is kept after the request. */
  readonly keepConnection: boolean;
}

export interface ReadRecord {
  readonly record: RawRecord;
  /** Offset after the padding. */
  readonly end: number;
}

/**
 * The record at `offset`; undefined while bytes are missing. Never throws: any eight bytes are a
 * header.
 */
export function readRecord(bytes: Buffer, offset = 0): ReadRecord | undefined {
  if (bytes.length - offset < headerLength) return undefined;
  const contentLength = bytes.readUInt16BE(offset + 4);
  const start = offset + headerLength;
  const end = start + contentLength + bytes.readUInt8(offset + 6);
  if (bytes.length < end) return undefined;
  return {
    record: {
      version: bytes.readUInt8(offset),
      type: bytes.readUInt8(offset + 1),
      requestId: bytes.readUInt16BE(offset + 2),
      content: bytes.subarray(start, start + contentLength),
    },
    end,
  };
}

/**
 * Writes one record, padded to a multiple of eight bytes (section 3.3).
 * @throws RangeError for more than 65535 bytes of content; see {@link writeStream}
 */
export function writeRecord(type: number, requestId: number, content: Uint8Array): Buffer {
  if (content.length > maximumContent)
    throw new RangeError("the content of a record is at most 65535 bytes");
  const padding = -content.length & 7;
  const bytes = Buffer.alloc(headerLength + content.length + padding);
  bytes.writeUInt8(FCGI_VERSION_1, 0);
  bytes.writeUInt8(type, 1);
  bytes.writeUInt16BE(requestId, 2);
  bytes.writeUInt16BE(content.length, 4);
  bytes.writeUInt8(padding, 6);
  bytes.set(content, headerLength);
  return bytes;
}

/** Writes a whole stream, with the empty record that ends it (section 3.3). */
export function writeStream(type: number, requestId: number, content: Uint8Array): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < content.length; at += maximumContent) {
    records.push(writeRecord(type, requestId, content.subarray(at, at + maximumContent)));
  }
  records.push(writeRecord(type, requestId, new Uint8Array()));
  return Buffer.concat(records);
}

/** Undefined if it is too short. */
export function readBeginRequest(content: Buffer): BeginRequest | undefined {
  if (content.length < 3) return undefined;
  return { role: content.readUInt16BE(0), keepConnection: (content.readUInt8(2) & 1) === 1 };
}

/** Section 5.5. */
export function writeEndRequest(requestId: number, protocolStatus: number, appStatus = 0): Buffer {
  const content = Buffer.alloc(8);
  content.writeUInt32BE(appStatus, 0);
  content.writeUInt8(protocolStatus, 4);
  return writeRecord(FCGI_END_REQUEST, requestId, content);
}

/** Reply to an unknown management record (section 4.2). */
export function writeUnknownType(type: number): Buffer {
  const content = Buffer.alloc(8);
  content.writeUInt8(type, 0);
  return writeRecord(FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, content);
}

/** Names and values in order; a name may be repeated. A pair may span two records. */
export type Pairs = readonly (readonly [name: string, value: string])[];

/**
 * Reads the pairs of a complete stream; undefined if a length exceeds it, as the missing pairs are
 * unknown.
 */
export function readPairs(bytes: Buffer): Pairs | undefined {
  const pairs: [string, string][] = [];
  let at = 0;
  while (at < bytes.length) {
    const nameLength = readLength(bytes, at);
    if (!nameLength) return undefined;
    const valueLength = readLength(bytes, nameLength.end);
    if (!valueLength) return undefined;
    const value = valueLength.end + nameLength.length;
    const end = value + valueLength.length;
    if (end > bytes.length) return undefined;
    pairs.push([
      decodeBytes(bytes.subarray(valueLength.end, value)),
      decodeBytes(bytes.subarray(value, end)),
    ]);
    at = end;
  }
  return pairs;
}

export function writePairs(pairs: Pairs): Buffer {
  return Buffer.concat(
    pairs.flatMap(([name, value]) => {
      const nameBytes = Buffer.from(name);
      const valueBytes = Buffer.from(value);
      return [writeLength(nameBytes.length), writeLength(valueBytes.length), nameBytes, valueBytes];
    }),
  );
}

/** One byte up to 127, else four with the highest bit set. */
function readLength(bytes: Buffer, at: number): { length: number; end: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if (first < 128) return { length: first, end: at + 1 };
  if (at + 4 > bytes.length) return undefined;
  return { length: bytes.readUInt32BE(at) & 0x7fffffff, end: at + 4 };
}

function writeLength(length: number): Buffer {
  if (length < 128) return Buffer.of(length);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((length | 0x80000000) >>> 0);
  return bytes;
}

export interface ConnectionLimits {
  /** Maximum number of records. @default 10_000 */
  readonly records: number;
  /** Maximum size of parameters of all open requests. @default 1 MiB */
  readonly parameterBytes: number;
  /** Maximum number of open requests. @default 16 */
  readonly requests: number;
}

export const defaultLimits: ConnectionLimits = {
  records: 10_000,
  parameterBytes: 1024 ** 2,
  requests: 16,
};

export type ConnectionEvent =
  /** An authorizer request is complete. */
  | { type: "request"; id: number; keepConnection: boolean; params: Pairs }
  | { type: "abort"; id: number }
  | { type: "reply"; bytes: Buffer }
  /** To be closed after pending replies; later bytes are ignored. */
  | { type: "close"; reason: string };

/** A request with incomplete parameters. */
interface OpenRequest {
  readonly keepConnection: boolean;
  parts: Buffer[];
}

/** Attack: each part costs much more memory than the one byte that it may be. */
const maxParts = 64;

function addPart(parts: Buffer[], part: Buffer): Buffer[] {
  parts.push(part);
  return parts.length > maxParts ? [Buffer.concat(parts)] : parts;
}

/** Without a copy where there is one part only, as nearly always. */
function joined(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/**
 * Content that outlives the bytes it came with. A copy of each large question would be most of its
 * cost. Attack: a small part keeps a large buffer alive, which no limit counts.
 */
function detached(content: Buffer): Buffer {
  return content.length * 2 > content.buffer.byteLength ? content : Buffer.from(content);
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

  /** Bytes of the peer's that are kept. */
  get held(): number {
    return this.#pendingBytes + this.#parameterBytes;
  }

  /** @param bytes cut anywhere */
  push(bytes: Buffer): ConnectionEvent[] {
    const events: ConnectionEvent[] = [];
    if (this.#closed || bytes.length === 0) return events;
    this.#pending = addPart(this.#pending, bytes);
    this.#pendingBytes += bytes.length;
    if (!this.#speaksFastCgi()) return [this.#close()];
    if (!this.#hasRecord()) return events;
    const whole = joined(this.#pending);
    let at = 0;
    for (let read = readRecord(whole, at); read && !this.#closed; read = readRecord(whole, at)) {
      at = read.end;
      const event = this.#take(read.record);
      if (event) events.push(event);
      if (event?.type === "close") this.#closed = true;
    }
    this.#pending = this.#closed || at === whole.length ? [] : [detached(whole.subarray(at))];
    this.#pendingBytes = whole.length - at;
    return this.#speaksFastCgi() ? events : [...events, this.#close()];
  }

  /**
   * Whether the next record is FastCGI. HTTP would be taken for a record of 12,064 bytes, and the
   * client would wait.
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

  /** Checked before concatenation: single bytes must not copy all previous ones each time. */
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
    // Bodies and unknown application records are ignored.
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
    this.#open.set(requestId, { keepConnection: begin.keepConnection, parts: [] });
    return undefined;
  }

  #addParams({ requestId, content }: RawRecord): ConnectionEvent | undefined {
    const request = this.#open.get(requestId);
    // Section 3.3: records of a request that is not open are ignored.
    if (!request) return undefined;
    if (content.length === 0) return this.#complete(requestId, request);
    this.#parameterBytes += content.length;
    if (this.#parameterBytes > this.#limits.parameterBytes) return close("too many parameters");
    request.parts = addPart(request.parts, detached(content));
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

  /** Removes a request and returns its parameters so far. */
  #forget(id: number): Buffer {
    const bytes = joined(this.#open.get(id)?.parts ?? []);
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
