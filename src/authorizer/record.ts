/**
 * FastCGI records, both ways: pure functions over bytes.
 *
 * Source: FastCGI Specification 1.0 (Open Market, 1996), sections 3.3 (records), 5 (application records), 8 (constants).
 * @module
 */

export const FCGI_VERSION_1 = 1;

/** Record types; others exist on the wire and are answered with `FCGI_UNKNOWN_TYPE` or passed over. */
export const FCGI_BEGIN_REQUEST = 1;
export const FCGI_ABORT_REQUEST = 2;
export const FCGI_END_REQUEST = 3;
export const FCGI_PARAMS = 4;
export const FCGI_STDIN = 5;
export const FCGI_STDOUT = 6;
export const FCGI_STDERR = 7;
export const FCGI_DATA = 8;
export const FCGI_GET_VALUES = 9;
export const FCGI_GET_VALUES_RESULT = 10;
export const FCGI_UNKNOWN_TYPE = 11;

/** Roles of `FCGI_BEGIN_REQUEST`. */
export const FCGI_RESPONDER = 1;
export const FCGI_AUTHORIZER = 2;
export const FCGI_FILTER = 3;

/** Protocol status of `FCGI_END_REQUEST`. */
export const FCGI_REQUEST_COMPLETE = 0;
export const FCGI_CANT_MPX_CONN = 1;
export const FCGI_OVERLOADED = 2;
export const FCGI_UNKNOWN_ROLE = 3;

/** Id of management records, which belong to the connection and to no request. */
export const FCGI_NULL_REQUEST_ID = 0;

const headerLength = 8;
const maximumContent = 65_535;

/** One record off the wire. `content` is a view of the bytes it came in. */
export interface RawRecord {
  readonly version: number;
  readonly type: number;
  readonly requestId: number;
  readonly content: Buffer;
}

/** What the content of a `FCGI_BEGIN_REQUEST` says (section 5.1). */
export interface BeginRequest {
  readonly role: number;
  /** Whether the peer wants the connection kept after the request. */
  readonly keepConnection: boolean;
}

/** Where one record ends, and the record; undefined while bytes are missing. */
export interface ReadRecord {
  readonly record: RawRecord;
  /** Offset of the byte after the padding. */
  readonly end: number;
}

/** Reads the record that begins at `offset`. Never throws: any eight bytes are a header. */
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
 * Writes one record, padded to a multiple of eight bytes as section 3.3 recommends.
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

/** Writes a whole stream: as many records as its length needs, then the empty one that ends it (section 3.3). */
export function writeStream(type: number, requestId: number, content: Uint8Array): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < content.length; at += maximumContent) {
    records.push(writeRecord(type, requestId, content.subarray(at, at + maximumContent)));
  }
  records.push(writeRecord(type, requestId, new Uint8Array()));
  return Buffer.concat(records);
}

/** Reads the content of a `FCGI_BEGIN_REQUEST`; undefined when it is too short. */
export function readBeginRequest(content: Buffer): BeginRequest | undefined {
  if (content.length < 3) return undefined;
  return { role: content.readUInt16BE(0), keepConnection: (content.readUInt8(2) & 1) === 1 };
}

/** Writes a `FCGI_BEGIN_REQUEST`, for tests and for clients. */
export function writeBeginRequest(
  requestId: number,
  { role, keepConnection }: BeginRequest,
): Buffer {
  const content = Buffer.alloc(8);
  content.writeUInt16BE(role, 0);
  content.writeUInt8(keepConnection ? 1 : 0, 2);
  return writeRecord(FCGI_BEGIN_REQUEST, requestId, content);
}

/** Writes a `FCGI_END_REQUEST` (section 5.5). */
export function writeEndRequest(requestId: number, protocolStatus: number, appStatus = 0): Buffer {
  const content = Buffer.alloc(8);
  content.writeUInt32BE(appStatus, 0);
  content.writeUInt8(protocolStatus, 4);
  return writeRecord(FCGI_END_REQUEST, requestId, content);
}

/** Writes a `FCGI_UNKNOWN_TYPE`, the answer to a management record that is not understood (section 4.2). */
export function writeUnknownType(type: number): Buffer {
  const content = Buffer.alloc(8);
  content.writeUInt8(type, 0);
  return writeRecord(FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, content);
}
