/** One round from options to answer; the rest is in test/apache/node.ts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import t from "tap";
import {
  callListener,
  createNode,
  type Listener,
} from "../../../src/handlers/applications/node.ts";
import { createMessage } from "../../../src/handlers/applications/node-message.ts";
import { startEngine } from "../../fixtures/gateway.ts";
import { DECLINED, OK, type Outcome } from "../../../src/base/outcome.ts";
import { internals } from "../../../src/request/internals.ts";
import { serve, type TestServer } from "../../fixtures/exchange-server.ts";
import { ClientSocket } from "../../../src/handlers/applications/client-socket.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";

const peer = await startEngine(t, {
  node: createNode(),
  app: {
    default: (message: IncomingMessage, response: ServerResponse) => response.end(message.url),
    boom: () => {
      throw new Error("boom");
    },
    pass: (_message: unknown, _response: unknown, next: () => void) => next(),
    object: {},
  },
});

const ask = (uri: string, ...options: string[]) =>
  peer.ask(["handler node", ...options.map((text) => `option mod_ts.node.${text}`)], {
    context: { uri, line: `GET ${uri} HTTP/1.1` },
  });

t.test("application and base", async (t) => {
  t.match(await ask("/a/b", "application app"), { status: 200, body: "/a/b" });
  t.match(await ask("/a/b", "application app", "base /a"), { status: 200, body: "/b" });
  t.match(await ask("/b/b", "application app", "base /a"), { status: 404 });
  t.match(await ask("/", "application app::pass"), { status: 404 });
});

t.test("mistakes", async (t) => {
  t.match(await ask("/"), { status: 500 });
  t.match(peer.log(), "MODTS_BAD_OPTION: invalid option mod_ts.node.application");
  t.match(await ask("/", "application app::boom"), { status: 500 });
  t.match(peer.log(), /mod_ts\/node app::boom failed in phase handler[^]*boom/);
  t.match(await ask("/", "application app::object"), { status: 500 });
  t.match(peer.log(), /MODTS_NOT_AN_APPLICATION: .*exports an object/);
});

const url = { base: "", rest: "/", whole: "/" };

/** Serves a listener; what it came to stands in `outcomes`. */
async function listen(listener: Listener): Promise<TestServer & { outcomes: unknown[] }> {
  const outcomes: unknown[] = [];
  const server = await serve(t, (req) =>
    callListener(req, listener, url).then(
      (outcome: Outcome) => void outcomes.push(outcome),
      (error: unknown) => {
        outcomes.push(error);
        throw error;
      },
    ),
  );
  return { ...server, outcomes };
}

t.test("short answers have a length, long ones are chunked by us", async (t) => {
  const short = await listen((_req, res) => res.writeHead(200, { "X-A": "1" }).end("short"));
  t.match(await short.ask(), { body: "short", headers: { "content-length": "5", "x-a": "1" } });
  t.strictSame(short.outcomes, [OK]);
  const long = await listen(async (_req, res) => {
    res.setHeader("Transfer-Encoding", "chunked");
    res.write("one ");
    await new Promise((resolve) => setTimeout(resolve, 5));
    res.end("two");
  });
  t.match(await long.ask(), { body: "one two", headers: { "transfer-encoding": "chunked" } });
});

t.test("announced trailers are dropped, in every form", async (t) => {
  const forms: Listener[] = [
    (_req, res) => void res.setHeader("Trailer", "X-T"),
    (_req, res) => void res.writeHead(200, { trailer: "X-T", "X-A": "1" }),
    (_req, res) => void res.writeHead(200, "Fine", { Trailer: "X-T" }),
  ];
  for (const form of forms) {
    const server = await listen((req, res) => {
      form(req, res, () => {});
      res.write("a");
      res.addTrailers({ "X-T": "1" });
      res.end();
    });
    const reply = await server.ask();
    t.match(reply, { status: 200, body: "a" });
    t.notOk("trailer" in reply.headers, "nothing is announced");
  }
});

t.test("flushHeaders sends the head alone", async (t) => {
  const server = await listen((_req, res) => void res.flushHeaders());
  const socket = server.connect();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const [bytes] = await once(socket, "data");
  t.match(String(bytes), /^HTTP\/1\.1 200 OK\r\n/);
});

t.test("HEAD and 304", async (t) => {
  const server = await listen((req, res) => {
    if (req.method !== "HEAD") res.statusCode = 304;
    res.setHeader("ETag", '"1"').setHeader("Content-Length", 4).end("body");
  });
  t.match(await server.ask("HEAD /"), {
    status: 200,
    body: "",
    headers: { "content-length": "4" },
  });
  t.match(await server.ask(), { status: 304, body: "", headers: { etag: '"1"' } });
});

t.test("drain, as often as it is needed", async (t) => {
  const part = Buffer.alloc(100_000, "x");
  const server = await listen(async (_req, res) => {
    for (let index = 0; index < 40; index++) {
      if (!res.write(part)) {
        t.ok(res.writableNeedDrain);
        await once(res, "drain");
        t.notOk(res.writableNeedDrain);
      }
    }
    // A pipe that begins after all that must not wait for a drain that does not come.
    await pipeline(Readable.from([part, part]), res);
  });
  t.equal((await server.ask()).body.length, 42 * 100_000);
});

t.test("next: not mine", async (t) => {
  const server = await listen((_req, _res, next) => next());
  await server.ask();
  t.strictSame(server.outcomes, [DECLINED]);
  const both = await listen((_req, res, next) => {
    res.end("answered");
    next();
  });
  t.equal((await both.ask()).body, "answered");
  t.strictSame(both.outcomes, [OK]);
});

t.test("next with an error, throws, rejections", async (t) => {
  const ways: Listener[] = [
    (_req, _res, next) => next(new Error("boom")),
    () => {
      throw new Error("boom");
    },
    () => Promise.reject(new Error("boom")),
  ];
  for (const way of ways) {
    const server = await listen(way);
    t.equal((await server.ask()).status, 500);
    t.match(server.outcomes, [{ message: "boom" }]);
  }
});

t.test("an error with a status of its own", async (t) => {
  const failing = (properties: object) =>
    listen((_req, _res, next) => next(Object.assign(new Error("reason"), properties)));
  const refusing = await failing({ status: 422, expose: true, headers: { "X-Why": "because" } });
  t.match(await refusing.ask(), { status: 422, body: "reason\n" });
  t.match(refusing.outcomes, [{ outcome: 422, headers: { "X-Why": "because" } }]);
  const silent = await failing({ statusCode: 400 });
  t.notMatch((await silent.ask()).body, /reason/);
  t.match(silent.outcomes, [{ name: "HttpError", outcome: 400 }]);
  const odd = await failing({ status: 200 });
  t.equal((await odd.ask()).status, 500);
});

t.test("destroyed: cut off", async (t) => {
  const server = await listen((_req, res) => {
    res.write("begun");
    setTimeout(() => res.destroy(), 5);
  });
  t.notOk((await server.ask()).complete);
  t.strictSame(server.outcomes, [OK]);
});

t.test("the client leaves", async (t) => {
  const seen: string[] = [];
  let left = (): void => {};
  const gone = new Promise<void>((resolve) => (left = resolve));
  const server = await listen((req, res) => {
    for (const event of ["aborted", "close"]) req.on(event, () => seen.push(`req ${event}`));
    req.on("error", (error) => seen.push(`req ${(error as NodeJS.ErrnoException).code}`));
    res.on("close", () => {
      seen.push(`res close ${res.writableFinished}`);
      setImmediate(left);
    });
    req.resume();
    res.write("begun");
  });
  const socket = server.connect();
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
  await once(socket, "data");
  socket.destroy();
  await gone;
  t.strictSame(seen.toSorted(), ["req ECONNRESET", "req aborted", "req close", "res close false"]);
});

t.test("after finish comes close, once each", async (t) => {
  const seen: string[] = [];
  let closed = (): void => {};
  const over = new Promise<void>((resolve) => (closed = resolve));
  const server = await listen((req, res) => {
    for (const event of ["finish", "close"]) res.on(event, () => seen.push(event));
    req.on("close", () => seen.push("request"));
    res.on("close", () => setImmediate(closed));
    res.end("x", () => seen.push("ended"));
    t.match(res, { writableEnded: true, headersSent: true, destroyed: false });
  });
  await server.ask();
  await over;
  t.strictSame(seen.toSorted(), ["close", "ended", "finish", "request"]);
  t.ok(seen.indexOf("finish") < seen.indexOf("close"));
});

t.test("what earlier handlers said stays", async (t) => {
  const server = await serve(t, (req) => {
    req.errHeadersOut.add("Set-Cookie", "a=1");
    req.headersOut.set("X-A", "0");
    const answer: Listener = (_message, res) => {
      res.setHeader("Set-Cookie", ["b=2"]).setHeader("X-A", "1").end();
    };
    return callListener(req, answer, url).then(() => t.notOk(req[internals].response.begun));
  });
  t.match((await server.ask()).headers, { "set-cookie": "b=2|a=1", "x-a": "1" });
});

const mounted = { base: "", rest: "/a?b", whole: "/a?b" };

const messageOf = (req: ApacheRequest, where = mounted) =>
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
