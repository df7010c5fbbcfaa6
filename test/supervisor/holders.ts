import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import t from "tap";
import { findHolders } from "../../src/supervisor/holders.ts";

t.test("the process that listens on a port", async (t) => {
  for (const host of ["127.0.0.1", "::1"]) {
    const server = createServer().listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    t.same(findHolders(port), [process.pid], `a port of ${host}`);
    server.close();
    await once(server, "close");
    t.same(findHolders(port), [], "nobody after its end");
  }
});
