import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import t, { type Test } from "tap";
import { copyAnswer, toResponse } from "../../src/origin/answer.ts";
import { serve } from "../fixtures/exchange-server.ts";
import { answering, startRawServer } from "../fixtures/origin.ts";

async function fetchFrom(t: Test, ...lines: string[]): Promise<() => Promise<IncomingMessage>> {
  const origin = await startRawServer(t, answering("body", ...lines));
  return async () =>
    (await once(get(origin.url, { agent: false }), "response"))[0] as IncomingMessage;
}

t.test("headers of the origin, under those of handlers", async (t) => {
  const ask = await fetchFrom(
    t,
    "X-Both: origin",
    "X-Own: 1",
    "Set-Cookie: a",
    "Content-Type: a/b",
  );
  const server = await serve(t, async (req) => {
    req.headersOut.set("x-both", "handler");
    req.headersOut.add("Set-Cookie", "b");
    await copyAnswer(req, await ask());
  });
  t.match(await server.ask(), {
    status: 200,
    body: "body",
    headers: {
      "x-both": "handler",
      "x-own": "1",
      "set-cookie": "b|a",
      "content-type": "a/b",
      "content-length": "4",
    },
  });
});

t.test("a type that a handler chose; no type where the origin has none", async (t) => {
  const ask = await fetchFrom(t, "Content-Type: a/b");
  const server = await serve(t, async (req) => {
    req.contentType = "text/x";
    await copyAnswer(req, await ask());
  });
  t.equal((await server.ask()).headers["content-type"], "text/x");
  const bare = await fetchFrom(t);
  const other = await serve(t, async (req) => copyAnswer(req, await bare()));
  t.equal((await other.ask()).headers["content-type"], undefined);
});

t.test("an answer that ends in the middle", async (t) => {
  const origin = await startRawServer(t, ({ socket }) =>
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
  );
  const server = await serve(t, async (req) => {
    const [answer] = (await once(get(origin.url, { agent: false }), "response")) as [
      IncomingMessage,
    ];
    await copyAnswer(req, answer);
  });
  await server.ask();
  t.match(server.errors, [{ code: "MODTS_ORIGIN_BROKEN" }]);
});

t.test("a Response: no length to copy, but one to send", async (t) => {
  const ask = await fetchFrom(t, "Set-Cookie: a", "Set-Cookie: b", "Keep-Alive: x");
  const response = toResponse(await ask());
  t.equal(response.headers.get("content-length"), null);
  t.equal(response.headers.get("keep-alive"), null);
  t.same(response.headers.getSetCookie(), ["a", "b"]);
  const server = await serve(t, async (req) => {
    if (req.uri !== "/x") return toResponse(await ask());
  });
  t.match(await server.ask(), { body: "body", headers: { "content-length": "4" } });
});
