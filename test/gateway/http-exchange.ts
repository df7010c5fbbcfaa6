import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { HttpExchange } from "../../src/gateway/http-exchange.ts";
import { RawClient } from "../fixtures/raw-client.ts";

type Act = (exchange: HttpExchange) => unknown;

/** A server that serves each request with `act`, after "100-continue", too; returns its port. */
async function serve(t: Test, act: Act, bodyBytes = 1000): Promise<number> {
  const server = createServer();
  for (const event of ["request", "checkContinue"]) {
    server.on(event, (message, reply) => void act(new HttpExchange(message, reply, { bodyBytes })));
  }
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function textOf(exchange: HttpExchange): Promise<string> {
  let text = "";
  for await (const part of exchange.body()) text += String(part);
  return text;
}

const echo: Act = async (exchange) => {
  const text = await textOf(exchange).catch((error: { code: string }) => error.code);
  exchange.begin(200, undefined, ["connection", "close"]);
  exchange.end(text);
};

t.test("the body of the request, and the response to it", async (t) => {
  const client = new RawClient(await serve(t, echo));
  client.head("POST / HTTP/1.1", "Content-Length: 4").send("text");
  t.match(await client.until(/text/), /^HTTP\/1\.1 200 OK\r\n/);
});

t.test("a body over the limit is an error, announced or not", async (t) => {
  const port = await serve(t, echo, 3);
  const announced = new RawClient(port).head("POST / HTTP/1.1", "Content-Length: 4").send("text");
  t.match(await announced.until(/MODTS_/), "MODTS_BODY_TOO_LARGE");
  const chunked = new RawClient(port).head("POST / HTTP/1.1", "Transfer-Encoding: chunked");
  t.match(await chunked.send("4\r\ntext\r\n0\r\n\r\n").until(/MODTS_/), "MODTS_BODY_TOO_LARGE");
});

t.test("100 Continue is sent when the body is read, and only then", async (t) => {
  const head = ["POST / HTTP/1.1", "Content-Length: 4", "Expect: 100-continue"] as const;
  const reader = new RawClient(await serve(t, echo)).head(...head);
  t.match(await reader.until(/\r\n\r\n/), /^HTTP\/1\.1 100 Continue\r\n/);
  t.match(await reader.send("text").until(/text/), "200 OK");
  const refusing = await serve(t, (exchange) => {
    exchange.begin(413, undefined, ["connection", "close"]);
    t.throws(() => exchange.body(), { code: "MODTS_BODY_USED" }, "too late to ask for it");
    exchange.end("refused");
  });
  const refused = await new RawClient(refusing).head(...head).until(/refused/);
  t.match(refused, /^HTTP\/1\.1 413 /);
});

t.test("the signal aborts when the client disconnects", async (t) => {
  let aborted: Promise<unknown> | undefined;
  const port = await serve(t, (exchange) => {
    aborted = once(exchange.signal, "abort");
    exchange.begin(200, undefined, []);
    exchange.write("begun");
  });
  const client = new RawClient(port).head("GET / HTTP/1.1");
  await client.until(/begun/);
  client.leave();
  await aborted;
});

t.test("the signal stays as it is after a complete response", async (t) => {
  let seen: HttpExchange | undefined;
  const port = await serve(t, (exchange) => {
    seen = exchange;
    t.equal(exchange.signal.aborted, false);
    exchange.begin(200, undefined, ["connection", "close"]);
    exchange.end("whole");
  });
  await new RawClient(port).head("GET / HTTP/1.1").until(/whole/);
  t.equal(seen?.signal.aborted, false);
  t.equal(seen?.ended, true);
});

t.test("an aborted response looks cut off", async (t) => {
  const port = await serve(t, (exchange) => {
    exchange.begin(200, undefined, ["content-length", "100"]);
    exchange.write("part", () => exchange.abort());
  });
  const response = await fetch(`http://127.0.0.1:${port}/`);
  await t.rejects(response.text());
});

t.test("a response that ends before its body has come waits for the rest", async (t) => {
  const port = await serve(t, (exchange) => {
    exchange.begin(200, undefined, ["connection", "close"]);
    exchange.end("early");
    t.equal(exchange.ended, true);
  });
  const client = new RawClient(port).head("POST / HTTP/1.1", "Content-Length: 4").send("te");
  await client.until(/early/);
  client.send("xt");
  t.match(await client.closed, /early\r\n0\r\n\r\n$/, "whole, and closed after the body only");
});
