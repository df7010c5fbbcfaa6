import t from "tap";
import { isOfThisMachine } from "../../src/engine/local-client.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import { startEngine } from "../fixtures/gateway.ts";

const page = { handler: (req: ApacheRequest) => (isOfThisMachine(req) ? 204 : 403) };
const peer = await startEngine(t, { page });

async function isLocal(address: string, headers: Record<string, string> = {}): Promise<boolean> {
  const context = { remoteAddress: address };
  return (await peer.ask(["handler page"], { context, headers })).status === 204;
}

t.test("addresses of this machine", async (t) => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    t.ok(await isLocal(address), `${address} is local`);
  for (const address of ["192.0.2.7", "10.0.0.1", "::", "::2", "::ffff:10.0.0.1", "0.0.0.0"])
    t.notOk(await isLocal(address), `${address} is not local`);
});

t.test("a visitor of a reverse proxy on this machine is not local", async (t) => {
  for (const name of ["X-Forwarded-For", "Forwarded", "Via"])
    t.notOk(await isLocal("127.0.0.1", { [name]: "x" }), `${name} shows that there is a proxy`);
});
