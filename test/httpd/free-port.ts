import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import t from "tap";
import { freePort } from "../../src/httpd/private-server.ts";

t.test("any port, or the next one after a port that is taken", async (t) => {
  t.ok((await freePort("127.0.0.1")) > 0);
  const server = createServer().listen(0, "127.0.0.1");
  t.teardown(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const next = await freePort("127.0.0.1", port);
  t.ok(next > port && next < port + 50, `${next} follows ${port}`);
});

t.test("an address that is not ours", async (t) => {
  await t.rejects(freePort("192.0.2.1", 8080), {
    code: "MODTS_LISTEN_FAILED",
    message: /192\.0\.2\.1:8080/,
  });
});
