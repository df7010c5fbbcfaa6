import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import { probeSocket } from "../../src/base/probe-socket.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

t.test("who listens, and why nobody does", async (t) => {
  const path = join(shortFolder(t), "a.sock");
  t.match(await probeSocket({ path }), { code: "ENOENT" });
  const server = createServer((socket) => socket.resume());
  await once(server.listen(path), "listening");
  t.equal(await probeSocket({ path }, 5000), undefined);
  server.close();
  t.match(await probeSocket({ path: join(path, "b") }), { code: /ENOTDIR|ENOENT/ });
});

t.test("an address that never answers", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  t.match(await probeSocket({ host: "127.0.0.1", port }), { code: "ECONNREFUSED" });
  // RFC 5737: nobody has an address for documentation, though a router may say so at once.
  t.ok(await probeSocket({ host: "192.0.2.1", port: 9 }, 50));
});
