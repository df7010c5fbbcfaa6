/** Setup of the HTTP server: which messages it lets through, and what ends a connection. */
import t from "tap";
import type { ApacheRequest } from "../../src/request/request.ts";
import { contextHeader } from "../fixtures/context-header.ts";
import { startEngine } from "../fixtures/gateway.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const handler = async (req: ApacheRequest): Promise<number> => {
  const body = req.headersIn.has("x-read") ? await req.text() : "";
  req.write(`${req.method} ${body}`);
  return 0;
};
const modules = { echo: { handler } };
const lines = ["Mod-Ts-Config: handler echo", `Mod-Ts-Context: ${contextHeader()}`];

t.test("every method and media type reaches the handler", async (t) => {
  const peer = await startEngine(t, modules);
  for (const method of ["GET", "PROPFIND", "DELETE", "PATCH", "QUERY"]) {
    const headers = { "Content-Type": "no/such-type; =", "X-Read": "1", "Content-Length": "1" };
    const reply = await peer.ask(["handler echo"], { method, headers, body: "{" });
    t.match(reply, { status: 200, body: `${method} {` }, method);
  }
});

t.test('"100 Continue" is sent when a handler reads the body, and not before', async (t) => {
  const peer = await startEngine(t, modules);
  const expecting = [...lines, "Expect: 100-continue", "Content-Length: 4"];
  const reader = new RawClient(peer.port).head("POST / HTTP/1.1", "X-Read: 1", ...expecting);
  await reader.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  t.match(await reader.send("text").until(/POST text/), / 200 OK\r\n/);
  const other = new RawClient(peer.port).head("POST / HTTP/1.1", ...expecting);
  t.match(await other.closed, /^HTTP\/1\.1 200 OK\r\n/, "a body that nobody wants is not sent");
});

t.test("headers over the limit are 431, bytes that are not HTTP are 400", async (t) => {
  const peer = await startEngine(t, modules, {}, { headerBytes: 8192 });
  const large = `X-Large: ${"x".repeat(9000)}`;
  const client = new RawClient(peer.port).head("GET / HTTP/1.1", ...lines, large);
  t.match(await client.closed, /^HTTP\/1\.1 431 /);
  t.match(await new RawClient(peer.port).send("\x16\x03\x01").closed, /^HTTP\/1\.1 400 /);
  t.match(await peer.ask(["handler echo"]), { status: 200 }, "the next connection is served");
});

t.test("an idle connection ends after the keep-alive time, though nothing listens", async (t) => {
  const peer = await startEngine(t, modules, {}, { keepAlive: 50 });
  const client = new RawClient(peer.port).head("GET / HTTP/1.1", ...lines);
  t.match(await client.closed, /^HTTP\/1\.1 200 OK\r\n[^]*GET /, "responded to, then closed");
});
