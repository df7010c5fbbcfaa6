import t from "tap";
import { internals } from "../../src/request/request.ts";
import { toWebRequest } from "../../src/request/web-request.ts";
import { serve } from "../fixtures/exchange-server.ts";

t.test("method, URL, headers, body", async (t) => {
  const server = await serve(t, async (req) => {
    const request = req.toRequest();
    t.equal(req.toRequest(), request);
    const body = await request.text();
    const { method, url, headers } = request;
    req.write(JSON.stringify([method, url, headers.get("x-a"), body]));
  });
  const head = "POST /a%2Fb?x=1\nX-A: 1\nX-A: 2";
  t.strictSame(JSON.parse((await server.ask(head, "grün")).body), [
    "POST",
    "http://www.example.com/a%2Fb?x=1",
    "1, 2",
    "grün",
  ]);
  t.strictSame(JSON.parse((await server.ask("GET /")).body), [
    "GET",
    "http://www.example.com/",
    null,
    "",
  ]);
});

t.test("one body, one reader; GET with a body has none", async (t) => {
  const server = await serve(t, async (req) => {
    const request = req.toRequest();
    if (req.method === "GET") return void req.write(`${request.body} ${await req.text()}`);
    await t.rejects(req.text(), { code: "MODTS_BODY_USED", message: /toRequest/ });
    await request.text();
  });
  await server.ask("POST /", "x");
  t.equal((await server.ask("GET /", "x")).body, "null x");
});

t.test("another path than the one that was sent", async (t) => {
  const server = await serve(t, (req) => {
    const request = toWebRequest(req, req[internals].body, "/b%2Fc?y");
    req.write(request.url);
  });
  t.equal((await server.ask("GET /a/b%2Fc?x")).body, "http://www.example.com/b%2Fc?y");
});
