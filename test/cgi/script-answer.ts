/** What a header block makes of an answer. */
import t from "tap";
import { adoptHead, type ScriptAnswer } from "../../src/cgi/script-answer.ts";
import { HeaderParser } from "../../src/cgi/header-parser.ts";
import { type Answer, serve } from "../fixtures/exchange-server.ts";

async function adopt(head: string, ask?: string): Promise<Answer & { adopted: ScriptAnswer }> {
  let adopted: ScriptAnswer | undefined;
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
  await t.rejects(adopt("X: 1"), /neither Content-Type nor/);
  await t.rejects(adopt("Location:"), /neither/);
  await t.rejects(adopt("Content-Type: a/b\nContent-Length: many"), { name: "BadHead" });
  await t.rejects(adopt("Content-Type: a\x01b"), { name: "BadHead" });
});
