/** Header blocks as scripts write them, and the responses that they make. */
import t from "tap";
import {
  adoptHead,
  HeaderParser,
  type ScriptResponse,
} from "../../../src/handlers/cgi/script-header.ts";
import { type Answer, serve } from "../../fixtures/exchange-server.ts";

const parse = (text: string) => new HeaderParser().push(Buffer.from(text, "latin1"));

t.test("line feeds with and without carriage return", async (t) => {
  const fields = [
    ["Content-Type", "text/plain"],
    ["X", "a: b"],
    ["Empty", ""],
  ];
  t.strictSame(parse("Content-Type: text/plain\nX:a: b  \nEmpty:\n\nbody\n\n"), {
    fields,
    rest: Buffer.from("body\n\n"),
  });
  t.match(parse("Content-Type:\ttext/plain\r\nX: a: b\r\nEmpty: \r\n\r\nbody"), { fields });
});

t.test("byte for byte the same", async (t) => {
  const text = "A: 1\r\nB: 2\n\r\nrest";
  const parser = new HeaderParser();
  t.ok(parser.untouched);
  const heads = [...text].map((byte) => parser.push(Buffer.from(byte))).filter(Boolean);
  t.notOk(parser.untouched);
  t.match(heads[0], {
    fields: [
      ["A", "1"],
      ["B", "2"],
    ],
    rest: Buffer.alloc(0),
  });
});

t.test("what is no header", async (t) => {
  t.throws(() => parse("no colon\n\n"), /line 1, "no colon", is not of the form/);
  t.throws(() => parse("A: 1\n folded: 2\n\n"), /line 2/);
  t.throws(() => parse("A : 1\n\n"), /line 1/);
  t.throws(() => parse(": 1\n\n"), /line 1/);
  t.throws(() => parse("A\x00: 1\n\n"), /line 1/);
  t.throws(() => parse("HTTP/1.0 200 OK\n"), { name: "BadHead", message: /status line/ });
  t.throws(() => parse(`${"z".repeat(200)}\n`), /z{60}…/);
});

t.test("limits", async (t) => {
  t.throws(() => parse("A: 1\n".repeat(101)), /more than 100 lines/);
  t.ok(parse(`${"A: 1\n".repeat(100)}\n`));
  t.throws(() => parse("A".repeat(65_537)), /within 65536 bytes/);
  t.throws(() => parse(`${`A: ${"1".repeat(30_000)}\n`.repeat(3)}\n`), /within 65536 bytes/);
});

t.test("60,000 blanks in a value cost no time, and its bytes stay", async (t) => {
  const value = `a${" ".repeat(60_000)}\xa0`;
  const begin = process.cpuUsage();
  t.strictSame(parse(`X: \t${value}\t \n\n`)?.fields, [["X", value]]);
  t.throws(() => parse(`X: ${" ".repeat(60_000)}\rx\n\n`), /line 1/);
  const { user, system } = process.cpuUsage(begin);
  t.ok(user + system < 700_000, "microseconds of this process alone; 1.4 seconds with a pattern");
});

async function adopt(head: string, ask?: string): Promise<Answer & { adopted: ScriptResponse }> {
  let adopted: ScriptResponse | undefined;
  const server = await serve(t, (req) => {
    const block = new HeaderParser().push(Buffer.from(`${head}\n\n`));
    if (!block) throw new Error("no block");
    adopted = adoptHead(req, block);
    if (adopted.hasBody) req.write(Buffer.from("body"));
    return adopted.outcome;
  });
  const answer = await server.ask(ask);
  if (!adopted) throw server.errors[0] ?? new Error("nothing");
  return { ...answer, adopted };
}

t.test("a document", async (t) => {
  const answer = await adopt(
    "Content-Type: text/plain\nX: 1\nX: 2\nSet-Cookie: a=1\nContent-Type: text/css",
  );
  t.match(answer, {
    status: 200,
    body: "body",
    headers: { "content-type": "text/css", x: "1|2", "set-cookie": "a=1" },
  });
  t.notOk("content-type" in (await adopt("Status: 200 OK")).headers, "none is made up");
});

t.test("a status", async (t) => {
  t.match(await adopt("Status: 418 Tea\nContent-Type: a/b"), {
    status: 418,
    reason: "Tea",
    body: "body",
  });
  t.match(await adopt("Status: 404"), { status: 404, reason: "Not Found" });
  for (const status of ["20", "abc", "100 Continue", "2000", "200x"]) {
    await t.rejects(adopt(`Status: ${status}`), { name: "BadHead" }, status);
  }
});

t.test("framing and hop-by-hop headers are dropped", async (t) => {
  const { headers } = await adopt(
    "Content-Type: a/b\nTransfer-Encoding: chunked\nKeep-Alive: 1\nUpgrade: x\nX: 1",
  );
  t.match(headers, { "content-length": "4", x: "1" });
  t.notOk("keep-alive" in headers || "transfer-encoding" in headers || "upgrade" in headers);
});

t.test("redirects", async (t) => {
  t.match(await adopt("Location: https://a.example/x"), {
    status: 302,
    headers: { location: "https://a.example/x" },
    body: "body",
  });
  t.match(await adopt("Location: /local"), {
    status: 302,
    headers: { location: "/local" },
    adopted: { hasBody: false },
  });
  t.match(await adopt("Status: 201 Made\nLocation: /new"), {
    status: 201,
    headers: { location: "/new" },
    body: "body",
  });
  t.match(await adopt("Status: 307 Here\nLocation: /new"), {
    status: 307,
    headers: { location: "/new" },
  });
});

t.test("conditions", async (t) => {
  const dated = 'Content-Type: a/b\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\nETag: "1"';
  t.match(await adopt(dated, 'GET /\nIf-None-Match: "1"'), {
    status: 304,
    headers: { etag: '"1"' },
    adopted: { hasBody: false },
  });
  t.match(await adopt(dated, "GET /\nIf-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT"), {
    status: 304,
  });
  t.match(
    await adopt(dated, 'POST /\nIf-None-Match: "1"'),
    { status: 200 },
    "what a POST has done is done",
  );
});

t.test("no head", async (t) => {
  await t.rejects(adopt("X: 1"), { name: "BadHead" });
  await t.rejects(adopt("Location:"), { name: "BadHead" });
  await t.rejects(adopt("Content-Type: a/b\nContent-Length: many"), { name: "BadHead" });
  await t.rejects(adopt("Content-Type: a\x01b"), { name: "BadHead" });
});
