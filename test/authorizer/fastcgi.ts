import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import {
  type ConnectionEvent,
  defaultLimits,
  FcgiConnection,
} from "../../src/authorizer/fastcgi.ts";
import { type Pairs, readPairs, writePairs } from "../../src/authorizer/fastcgi.ts";
import * as record from "../../src/authorizer/fastcgi.ts";
import { FCGI_RESPONDER, FCGI_STDIN, writeBeginRequest } from "../fixtures/fcgi-client.ts";

const begin = (id: number, role = record.FCGI_AUTHORIZER): Buffer =>
  writeBeginRequest(id, { role, keepConnection: false });
const params = (id: number, pairs: Pairs): Buffer =>
  record.writeStream(record.FCGI_PARAMS, id, writePairs(pairs));
const half = (id: number): Buffer =>
  record.writeRecord(record.FCGI_PARAMS, id, Buffer.alloc(12, 1));
const pairs: Pairs = [
  ["REQUEST_METHOD", "GET"],
  ["LONG", "x".repeat(70_000)],
  ["", "empty name"],
  ["TWICE", "1"],
  ["TWICE", "2"],
];

/** All events of some bytes, pushed in pieces of one size. */
function feed(bytes: Buffer, piece: number, limits = defaultLimits): ConnectionEvent[] {
  const connection = new FcgiConnection(limits);
  const events: ConnectionEvent[] = [];
  for (let at = 0; at < bytes.length; at += piece) {
    events.push(...connection.push(bytes.subarray(at, at + piece)));
  }
  return events;
}

t.test("a request is complete with its last parameter record, cut anywhere", (t) => {
  const bytes = Buffer.concat([begin(1), params(1, pairs)]);
  const expected = [{ type: "request", id: 1, keepConnection: false, params: pairs }];
  for (const piece of [1, 7, 8, 9, 1000, bytes.length]) {
    t.strictSame(feed(bytes, piece), expected, `pieces of ${piece} bytes`);
  }
  t.strictSame(feed(bytes.subarray(0, -1), 100), [], "not before its last byte");
  t.end();
});

t.test("interleaved requests stay apart", (t) => {
  const events = feed(
    Buffer.concat([
      begin(1),
      begin(2),
      record.writeRecord(record.FCGI_PARAMS, 1, writePairs([["A", "1"]])),
      params(2, [["A", "2"]]),
      params(1, [["B", "1"]]),
    ]),
    64,
  );
  t.match(events, [
    { type: "request", id: 2, params: [["A", "2"]] },
    {
      type: "request",
      id: 1,
      params: [
        ["A", "1"],
        ["B", "1"],
      ],
    },
  ]);
  t.end();
});

t.test("an aborted request is never one", (t) => {
  const abort = record.writeRecord(record.FCGI_ABORT_REQUEST, 1, Buffer.alloc(0));
  const events = feed(Buffer.concat([begin(1), abort, params(1, [["A", "1"]])]), 64);
  t.strictSame(events, [{ type: "abort", id: 1 }]);
  t.end();
});

t.test("other roles are turned down, unknown records too", (t) => {
  t.strictSame(feed(begin(3, FCGI_RESPONDER), 64), [
    { type: "reply", bytes: record.writeEndRequest(3, record.FCGI_UNKNOWN_ROLE) },
  ]);
  t.strictSame(feed(record.writeRecord(200, 0, Buffer.alloc(3)), 64), [
    { type: "reply", bytes: record.writeUnknownType(200) },
  ]);
  t.strictSame(feed(record.writeRecord(200, 5, Buffer.alloc(3)), 64), []);
  t.end();
});

t.test("GET_VALUES answers what it knows", (t) => {
  const asked = writePairs([
    ["FCGI_MPXS_CONNS", ""],
    ["FCGI_MAX_REQS", ""],
    ["toString", ""],
  ]);
  const [event] = feed(record.writeRecord(record.FCGI_GET_VALUES, 0, asked), 64);
  if (event?.type !== "reply") return t.fail("a reply");
  const read = record.readRecord(event.bytes);
  t.equal(read?.record.type, record.FCGI_GET_VALUES_RESULT);
  t.strictSame(readPairs(read?.record.content ?? Buffer.alloc(0)), [
    ["FCGI_MPXS_CONNS", "1"],
    ["FCGI_MAX_REQS", "1024"],
  ]);
  return t.end();
});

t.test("what is malformed closes, and nothing after it counts", (t) => {
  const cases: Record<string, Buffer> = {
    "protocol version 2": Buffer.from([2, 1, 0, 1, 0, 0, 0, 0]),
    "protocol version 71": Buffer.from("GET / HTTP/1.0\r\n\r\n"),
    "malformed FCGI_BEGIN_REQUEST": record.writeRecord(record.FCGI_BEGIN_REQUEST, 1, Buffer.of(0)),
    "request 1 begins twice": Buffer.concat([begin(1), begin(1)]),
    "malformed FCGI_PARAMS": Buffer.concat([
      begin(1),
      record.writeStream(record.FCGI_PARAMS, 1, Buffer.from([5, 5, 65])),
    ]),
    "malformed FCGI_GET_VALUES": record.writeRecord(record.FCGI_GET_VALUES, 0, Buffer.of(128)),
  };
  for (const [reason, bytes] of Object.entries(cases)) {
    const events = feed(Buffer.concat([bytes, begin(7), params(7, [["A", "1"]])]), 5);
    t.strictSame(events, [{ type: "close", reason }], reason);
  }
  t.end();
});

t.test("limits", (t) => {
  const limits = { records: 5, parameterBytes: 20, requests: 1 };
  t.match(feed(Buffer.concat([begin(1), params(1, [["NAME", "x".repeat(40)]])]), 64, limits), [
    { type: "close", reason: "too many parameters" },
  ]);
  const together = [begin(1), begin(2), half(1), half(2)];
  t.match(
    feed(Buffer.concat(together), 64, { ...limits, requests: 2 }),
    [{ type: "close", reason: "too many parameters" }],
    "of all open requests together",
  );
  const abort = record.writeRecord(record.FCGI_ABORT_REQUEST, 1, Buffer.alloc(0));
  const after = feed(Buffer.concat([begin(1), half(1), abort, begin(2), half(2)]), 64, limits);
  t.strictSame(after, [{ type: "abort", id: 1 }], "what is given up counts no more");
  t.match(feed(Buffer.concat([begin(1), begin(2)]), 64, limits), [
    { type: "reply", bytes: record.writeEndRequest(2, record.FCGI_CANT_MPX_CONN) },
  ]);
  const empty = record.writeRecord(FCGI_STDIN, 9, Buffer.alloc(0));
  t.match(feed(Buffer.concat(Array(6).fill(empty)), 64, limits), [
    { type: "close", reason: "too many records" },
  ]);
  t.end();
});

t.test("what is held of a peer is counted until its question is complete", async (t) => {
  const connection = new FcgiConnection();
  const bytes = Buffer.concat([begin(1), params(1, [["A", "x".repeat(1000)]])]);
  for (const byte of bytes.subarray(0, -1)) connection.push(Buffer.from([byte]));
  t.ok(connection.held > 1000);
  t.match(connection.push(bytes.subarray(-1)), [{ type: "request", id: 1 }]);
  t.equal(connection.held, 0);
});

t.test("small parts keep no large buffers, which nobody would count", async (t) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // Buffers are freed in a later turn.
  const gc = async (): Promise<void> => {
    for (let times = 0; times < 3; times += 1) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const part = record.writeRecord(record.FCGI_PARAMS, 1, Buffer.from("A"));
  const ignored = record.writeRecord(FCGI_STDIN, 9, Buffer.alloc(60_000));
  const connection = new FcgiConnection();
  connection.push(begin(1));
  await gc();
  const before = process.memoryUsage().arrayBuffers;
  // Parts of a question, and the begin of a record.
  for (let count = 0; count < 60; count += 1) {
    connection.push(Buffer.concat([ignored, part, part.subarray(0, 4)]));
    connection.push(Buffer.from(part.subarray(4)));
  }
  await gc();
  const kept = process.memoryUsage().arrayBuffers - before;
  t.ok(connection.held >= 120, `${connection.held} bytes are counted`);
  t.ok(kept < 1_000_000, `${kept} bytes are kept`);
});
