import { once } from "node:events";
import { type AddressInfo } from "node:net";
import { createServer } from "node:http";
import t from "tap";
import { probeServer } from "../../src/httpd/probe.ts";
import { startEcho } from "../fixtures/httpd.ts";

const levels = async (url: string): Promise<string[]> =>
  (await probeServer(url)).map(({ level }) => level);

t.test("a server with mod_ts.conf", async (t) => {
  const apache = await startEcho(t, { conf: "" });
  t.strictSame(await levels(apache.url), ["ok", "ok", "ok"]);
  await apache.backend.close();
  t.strictSame(await levels(apache.url), ["bad", "ok", "ok"], "sidecar down");
});

t.test("a server that lets everything through", async (t) => {
  const server = createServer((_, response) => response.end("source")).listen(0, "127.0.0.1");
  t.teardown(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  t.strictSame(await levels(`http://127.0.0.1:${port}/`), ["bad", "bad", "bad"]);
});

t.test("no server", async (t) => {
  t.match(await probeServer("http://127.0.0.1:1/"), [{ level: "bad", what: /ECONNREFUSED/ }]);
});
