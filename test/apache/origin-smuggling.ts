/**
 * Request smuggling: messages that two parsers may read differently, sent through a real Apache and straight to the gateway. What
 * reaches the origin is read byte by byte: no message of doubtful framing, and no request that nobody sent.
 */
import t from "tap";
import { contextHeader } from "../fixtures/context-header.ts";
import { startWorker } from "../fixtures/gateway.ts";
import { startApache } from "../fixtures/httpd.ts";
import { answering, startRawServer } from "../fixtures/origin.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const hidden = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
const chunks = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
const length = (text: string): string => `Content-Length: ${text.length}`;

/** What may come of it: nothing reaches the origin, or one request with this body. */
type Outcome = "refused" | { body: string };

interface Attack {
  what: string;
  method?: string;
  lines: readonly string[];
  body: string;
  /** By Apache, and by the gateway where that is another. */
  apache: Outcome | "either";
  gateway?: Outcome | "either";
  /** What ends a line of the head. */
  end?: string;
}

const refused = "refused" as const;
const badLengths = [
  "+5",
  "-5",
  "0x5",
  "5 5",
  "5,6",
  "5;",
  "1e1",
  "5.0",
  "",
  "\u00a05",
  "99999999999999999999",
];
const oddCodings = [
  "xchunked",
  "chunked, identity",
  "identity, chunked",
  "cow",
  "chunked;q=1",
  '"chunked"',
  "\u000bchunked",
  "chunked, chunked",
];

const attacks: readonly Attack[] = [
  { what: "a plain body", lines: [length("hello")], body: "hello", apache: { body: "hello" } },
  {
    what: "a chunked body",
    lines: ["Transfer-Encoding: chunked"],
    body: chunks(hidden),
    apache: { body: hidden },
  },
  {
    what: "two lengths",
    lines: ["Content-Length: 5", length(hidden)],
    body: hidden,
    apache: refused,
  },
  {
    what: "two lengths, the other way",
    lines: [length(hidden), "Content-Length: 5"],
    body: hidden,
    apache: refused,
  },
  ...badLengths.map((value) => ({
    what: `length ${JSON.stringify(value)}`,
    lines: [`Content-Length: ${value}`],
    body: hidden,
    apache: refused,
  })),
  {
    what: "a folded length",
    lines: ["Content-Length: 5", ` ${hidden.length}`],
    body: hidden,
    apache: refused,
  },
  {
    what: "a folded coding",
    lines: ["Transfer-Encoding:", " chunked"],
    body: chunks(hidden),
    apache: "either",
  },
  ...oddCodings.map((value) => ({
    what: `coding ${JSON.stringify(value)}`,
    lines: [`Transfer-Encoding: ${value}`, length(hidden)],
    body: `0\r\n\r\n${hidden}`,
    apache: refused,
  })),
  {
    what: "coding in capitals with a space",
    lines: ["Transfer-Encoding: Chunked "],
    body: chunks(hidden),
    apache: { body: hidden },
  },
  {
    what: "two codings",
    lines: ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    body: `0\r\n\r\n${hidden}`,
    apache: refused,
  },
  {
    what: "coding and length",
    lines: ["Transfer-Encoding: chunked", length(`0\r\n\r\n${hidden}`)],
    body: `0\r\n\r\n${hidden}`,
    apache: "either",
    gateway: refused,
  },
  {
    what: "a space before the colon",
    lines: ["Transfer-Encoding : chunked", length(hidden)],
    body: `0\r\n\r\n${hidden}`,
    apache: refused,
  },
  {
    what: "a coding and a length in trailers",
    lines: ["Transfer-Encoding: chunked"],
    body: `5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n${length(hidden)}\r\n\r\n`,
    apache: { body: "hello" },
    gateway: refused,
  },
  {
    what: "lines that end with LF alone",
    lines: [length("hello")],
    end: "\n",
    body: "hello",
    apache: refused,
  },
  {
    what: "a chunk size that ends with LF alone",
    lines: ["Transfer-Encoding: chunked"],
    body: `5\nhello\r\n0\r\n\r\n`,
    apache: "either",
    gateway: refused,
  },
  {
    what: "an extension of a chunk",
    lines: ["Transfer-Encoding: chunked"],
    body: `5;a="\r\nhello\r\n0\r\n\r\n`,
    apache: "either",
  },
  {
    what: "an odd chunk size",
    lines: ["Transfer-Encoding: chunked"],
    body: `0x5\r\nhello\r\n0\r\n\r\n`,
    apache: refused,
  },
  {
    what: "DELETE with chunks",
    method: "DELETE",
    lines: ["Transfer-Encoding: chunked"],
    body: chunks(hidden),
    apache: { body: hidden },
  },
  {
    what: "OPTIONS with chunks",
    method: "OPTIONS",
    lines: ["Transfer-Encoding: chunked"],
    body: chunks(hidden),
    apache: { body: hidden },
  },
  {
    what: "GET with a length",
    method: "GET",
    lines: [length(hidden)],
    body: hidden,
    apache: { body: hidden },
  },
  {
    what: "GET with chunks",
    method: "GET",
    lines: ["Transfer-Encoding: chunked"],
    body: chunks(hidden),
    apache: { body: hidden },
  },
  {
    what: "a length that Connection names",
    lines: ["Connection: Content-Length", length(hidden)],
    body: hidden,
    apache: { body: hidden },
  },
  {
    what: "a coding that Connection names",
    lines: ["Connection: Transfer-Encoding", "Transfer-Encoding: chunked"],
    body: chunks(hidden),
    apache: { body: hidden },
  },
  // Heads that two parsers may end, or read, in two places.
  ...[
    "X: a\rTransfer-Encoding: chunked",
    "X: a\0b",
    "X:\r\n Transfer-Encoding: chunked",
    "X\0Transfer-Encoding: chunked",
    "Content Length: 5",
    "Transfer-Encoding\t: chunked",
    "no colon",
    ": empty",
  ].map((line) => ({
    what: `the line ${JSON.stringify(line)}`,
    lines: [line, length(hidden)],
    body: hidden,
    apache: line.includes("\r\n ") ? ("either" as const) : refused,
    gateway: refused,
  })),
  {
    what: "a coding behind a tab",
    lines: ["Transfer-Encoding:\tchunked"],
    body: chunks(hidden),
    apache: { body: hidden },
  },
  {
    what: "the same coding twice",
    lines: ["Transfer-Encoding: chunked", "TRANSFER-ENCODING: chunked"],
    body: chunks(hidden),
    apache: refused,
  },
  {
    what: "the same length twice",
    lines: [length("hello"), length("hello")],
    body: "hello",
    apache: "either",
    gateway: refused,
  },
  // Chunks.
  ...[
    "-1\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFFF\r\nhello",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "\r\n5\r\nhello\r\n0\r\n\r\n",
  ].map((body) => ({
    what: `chunks ${JSON.stringify(body)}`,
    lines: ["Transfer-Encoding: chunked"],
    body,
    apache: "either" as const,
    gateway: "either" as const,
  })),
  {
    // The origin of this file answers at once, without asking for the body.
    what: "a body that was announced for later",
    lines: ["Expect: 100-continue", length(hidden)],
    body: hidden,
    apache: "either",
    gateway: "either",
  },
  {
    what: "a body behind an upgrade",
    lines: [
      "Connection: Upgrade, HTTP2-Settings",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABk",
      length(hidden),
    ],
    body: hidden,
    apache: { body: hidden },
  },
  {
    what: "HEAD with a length",
    method: "HEAD",
    lines: [length(hidden)],
    body: hidden,
    apache: { body: hidden },
  },
];

const upstream = await startRawServer(t, answering("fine", "Connection: close"));
const apache = await startApache(t, {
  conf: `
    <Location "/app">
      Use TsHandler mod_ts/origin
      Use TsOption mod_ts.origin.url ${upstream.url}
    </Location>`,
});
const gateway = await startWorker(t, {});

for (const attack of attacks) {
  t.test(attack.what, async (t) => {
    await strike(t, attack, attack.apache, { port: apache.port, lines: ["Host: localhost"] });
    const asApache = [
      "Host: localhost",
      `Mod-Ts-Context: ${contextHeader({ requestLine: "POST /app HTTP/1.1", uri: "/app" })}`,
      "Mod-Ts-Config: handler mod_ts/origin",
      `Mod-Ts-Config: option mod_ts.origin.url ${upstream.url}`,
    ];
    const outcome = attack.gateway ?? attack.apache;
    await strike(t, attack, outcome, { port: gateway.port, lines: asApache });
  });
}

async function strike(
  t: import("tap").Test,
  { method = "POST", lines, body, end = "\r\n" }: Attack,
  outcome: Outcome | "either",
  front: { port: number; lines: readonly string[] },
): Promise<void> {
  const before = upstream.connections.length;
  const connection = lines.some((line) => line.startsWith("Connection:"))
    ? []
    : ["Connection: close"];
  const head = [`${method} /app HTTP/1.1`, ...front.lines, ...connection, ...lines, "", ""].join(
    end,
  );
  const client = new RawClient(front.port).send(Buffer.from(head + body, "latin1"));
  await client.until(/^HTTP\/1\.1 [2-5][^]*\r\n\r\n/m).catch(() => {});
  client.leave();
  const requests = upstream.connections.slice(before).flatMap(({ text }) => parse(text));
  t.ok(requests.length <= 1, "at most one request");
  for (const { line } of requests) t.notMatch(line, /smuggled/);
  if (outcome === "refused") {
    t.equal(requests.length, 0, "nothing reaches the origin");
    t.match(client.text, /^HTTP\/1\.1 (?:400|411|413|500|501) |^$/);
  } else if (outcome !== "either") {
    t.same(
      requests.map((request) => request.body),
      [outcome.body],
    );
    t.match(client.text, /^HTTP\/1\.1 200 /m);
  }
}

/** Reads requests as RFC 9112 has it, and refuses anything beside it. */
function parse(text: string): { line: string; body: string }[] {
  const requests: { line: string; body: string }[] = [];
  for (let rest = text; rest !== "";) {
    const [head = "", after] = split(rest, "\r\n\r\n");
    const [line = "", ...headers] = head.split("\r\n");
    if (/\n|\r/.test(head.replaceAll("\r\n", ""))) throw new Error(`bare line end: ${head}`);
    const values = (name: string): string[] =>
      headers
        .filter((one) => one.toLowerCase().startsWith(`${name}: `))
        .map((one) => one.slice(name.length + 2));
    const [lengths, codings] = [values("content-length"), values("transfer-encoding")];
    if (lengths.length + codings.length > 1) throw new Error(`two framings: ${head}`);
    if (codings.length > 0 && codings[0] !== "chunked") throw new Error(`coding: ${head}`);
    if (lengths.length > 0 && !/^\d+$/.test(lengths[0] ?? "")) throw new Error(`length: ${head}`);
    const read = codings.length > 0 ? dechunk(after) : after.slice(0, Number(lengths[0] ?? 0));
    const size = typeof read === "string" ? read.length : read.size;
    requests.push({ line, body: typeof read === "string" ? read : read.text });
    rest = after.slice(size);
  }
  return requests;
}

function split(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  if (at < 0) throw new Error(`unfinished: ${text}`);
  return [text.slice(0, at), text.slice(at + mark.length)];
}

function dechunk(text: string): { text: string; size: number } {
  let body = "";
  for (let rest = text; ;) {
    const [line, after] = split(rest, "\r\n");
    if (!/^[0-9a-f]+$/.test(line)) throw new Error(`chunk: ${line}`);
    const size = Number.parseInt(line, 16);
    if (after.slice(size, size + 2) !== "\r\n") throw new Error(`chunk of ${size}: ${after}`);
    body += after.slice(0, size);
    rest = after.slice(size + 2);
    if (size === 0) return { text: body, size: text.length - rest.length };
  }
}
