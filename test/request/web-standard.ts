import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import t from "tap";
import { serve } from "../fixtures/exchange-server.ts";
import { toWebRequest } from "../../src/request/web-standard.ts";

t.test("a complete one goes out in one piece", async (t) => {
  const server = await serve(t, (req) => {
    req.headersOut.set("X-A", "0");
    req.headersOut.add("Set-Cookie", "a=1");
    req.errHeadersOut.set("X-E", "1");
    const headers = new Headers({ "X-A": "1" });
    headers.append("Set-Cookie", "b=2");
    headers.append("Set-Cookie", "c=3");
    return new Response("grün", { status: 201, statusText: "Made", headers });
  });
  const answer = await server.ask();
  t.equal(answer.status, 201);
  t.equal(answer.reason, "Made");
  t.strictSame(answer.headers, {
    "content-type": "text/plain;charset=UTF-8",
    "content-length": "5",
    "x-a": "1",
    "set-cookie": "a=1|b=2|c=3",
    "x-e": "1",
    connection: "close",
  });
  t.equal(answer.body, "grün");
});

t.test("large bytes, too", async (t) => {
  const server = await serve(t, () => new Response(Buffer.alloc(1 << 20, "x")));
  const answer = await server.ask();
  t.equal(answer.headers["content-length"], String(1 << 20));
  t.equal(answer.body.length, 1 << 20);
  t.equal((await server.ask("HEAD /")).headers["content-length"], String(1 << 20));
});

t.test("a stream may fill the same bytes again", async (t) => {
  const server = await serve(t, () => new Response(ReadableStream.from(refill())));
  const answer = await server.ask();
  t.match(answer.raw, "a".repeat(1000));
  t.match(answer.raw, "b".repeat(1000));
  t.match(answer.raw, "c".repeat(1000));
});

async function* refill(): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.alloc(1000);
  await new Promise((wait) => setTimeout(wait, 5));
  for (const letter of ["a", "b", "c"]) yield bytes.fill(letter);
}

t.test("without a body, without a type", async (t) => {
  const server = await serve(t, (req) => {
    if (req.unparsedUri === "/null") return new Response(null, { status: 204 });
    if (req.unparsedUri === "/empty") return new Response("");
    if (req.unparsedUri === "/redirect") return Response.redirect("http://x.example/");
    return new Response(Buffer.from("x"));
  });
  t.match((await server.ask("GET /null")).raw, /^HTTP\/1.1 204 No Content\r\nConnection/);
  t.equal((await server.ask("GET /empty")).headers["content-length"], "0");
  t.match((await server.ask("GET /redirect")).headers, { location: "http://x.example/" });
  t.equal((await server.ask()).headers["content-type"], undefined, "as with fetch");
});

t.test("a stream leaves part by part", async (t) => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const server = await serve(t, () => new Response(readable));
  const socket = server.connect();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  void writer.write(Buffer.from("one"));
  t.match(String(await once(socket, "data")), "3\r\none\r\n");
  void writer.write(Buffer.from("three"));
  t.match(String(await once(socket, "data")), "5\r\nthree\r\n");
  void writer.close();
  t.match(String(await once(socket, "data")), "0\r\n\r\n");
});

async function drip(controller: ReadableStreamDefaultController): Promise<void> {
  controller.enqueue(Buffer.from("x"));
  await new Promise((wait) => setTimeout(wait, 5));
}

t.test("HEAD", async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = await serve(t, (req) => {
    if (req.unparsedUri === "/short") return new Response("hello");
    return new Response(new ReadableStream({ pull: drip, cancel: () => resolve() }));
  });
  t.equal((await server.ask("HEAD /short")).headers["content-length"], "5");
  const answer = await server.ask("HEAD /endless");
  t.equal(answer.headers["content-length"], undefined);
  t.ok(answer.raw.endsWith("\r\n\r\n"));
  await promise;
});

function sendFirst(controller: ReadableStreamDefaultController): void {
  controller.enqueue(Buffer.from("first"));
}

t.test("a client that goes away cancels the body", async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = await serve(
    t,
    () => new Response(new ReadableStream({ start: sendFirst, cancel: () => resolve() })),
  );
  const socket = server.connect();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "data");
  socket.destroy();
  await promise;
  t.strictSame(server.errors, []);
});

t.test("also before its first part", async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const server = await serve(t, () => {
    setImmediate(() => setImmediate(ask));
    return new Response(new ReadableStream({ cancel: () => resolve() }));
  });
  const socket = server.connect();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await asked;
  socket.destroy();
  await promise;
  t.strictSame(server.errors, []);
});

t.test("a slow client holds the body back", async (t) => {
  let pulled = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = await serve(t, () => {
    setTimeout(resolve, 200);
    return new Response(
      new ReadableStream({
        pull(controller) {
          pulled++;
          controller.enqueue(Buffer.alloc(500_000));
          if (pulled === 200) controller.close();
        },
      }),
    );
  });
  const socket = server.connect();
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await promise;
  t.ok(pulled < 200, `stopped at ${pulled}`);
  socket.resume();
  await once(socket, "close");
  t.equal(pulled, 200);
});

t.test("a body that fails", async (t) => {
  const server = await serve(t, (req) => {
    let turn = 0;
    const pull = async (controller: ReadableStreamDefaultController): Promise<void> => {
      await new Promise((wait) => setTimeout(wait, 5));
      if (req.unparsedUri === "/late" && turn++ === 0) controller.enqueue(Buffer.from("half"));
      else controller.error(new Error("boom"));
    };
    return new Response(new ReadableStream({ pull }));
  });
  t.equal((await server.ask("GET /early")).status, 500);
  const late = await server.ask("GET /late");
  t.equal(late.status, 200);
  t.equal(late.complete, false);
  t.strictSame(server.errors.map(String), ["Error: boom", "Error: boom"]);
});

t.test("a body that holds no bytes, a used one, an error response", async (t) => {
  const server = await serve(t, async (req) => {
    if (req.unparsedUri === "/error") return Response.error();
    const response = new Response("x");
    if (req.unparsedUri === "/used") await response.text();
    if (req.unparsedUri === "/locked") response.body?.getReader();
    if (req.unparsedUri !== "/odd") return response;
    return new Response(
      new ReadableStream({ start: (controller) => controller.enqueue(5 as unknown as Uint8Array) }),
    );
  });
  for (const target of ["/error", "/used", "/locked", "/odd"]) {
    t.equal((await server.ask(`GET ${target}`)).body, "MODTS_BAD_ARGUMENT", target);
  }
});

t.test("a response of fetch is not called encoded any more", async (t) => {
  const upstream = createServer((_, reply) => {
    reply.writeHead(200, { "content-encoding": "gzip", "content-type": "text/plain" });
    reply.end(gzipSync("hello"));
  }).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  t.teardown(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  const { port } = upstream.address() as AddressInfo;
  const server = await serve(t, () => fetch(`http://127.0.0.1:${port}/`));
  const answer = await server.ask();
  t.equal(answer.headers["content-encoding"], undefined);
  t.equal(answer.body, "hello");
  t.ok(answer.complete);
});

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
    const request = toWebRequest(req, "/b%2Fc?y");
    req.write(request.url);
  });
  t.equal((await server.ask("GET /a/b%2Fc?x")).body, "http://www.example.com/b%2Fc?y");
});
