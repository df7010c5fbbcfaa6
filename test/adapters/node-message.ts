import t from "tap";
import { ClientSocket } from "../../src/adapters/client-socket.ts";
import { createMessage } from "../../src/adapters/node-message.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import { serve } from "../fixtures/exchange-server.ts";

const url = { base: "", rest: "/a?b", whole: "/a?b" };

const messageOf = (req: ApacheRequest, where = url) =>
  createMessage(req, new ClientSocket(req), where);

t.test("facts and headers are Node's", async (t) => {
  const server = await serve(t, (req) => {
    const message = messageOf(req);
    t.match(message, {
      method: "GET",
      url: "/a?b",
      httpVersion: "1.1",
      apache: req,
    });
    t.match(message.headers, { "x-a": "1, 2", cookie: "a=1; b=2", host: "www.example.com" });
    t.strictSame(message.headersDistinct["x-a"], ["1", "2"]);
    t.ok(message.rawHeaders.includes("X-A"));
    t.notOk("baseUrl" in message);
    const below = messageOf(req, { base: "/app", rest: "/a", whole: "/app/a" });
    t.match(below, { baseUrl: "/app", originalUrl: "/app/a", url: "/a" });
  });
  await server.ask("GET /a?b\nX-A: 1\nCookie: a=1\nX-A: 2\nCookie: b=2");
});
