import { type AddressInfo, connect, createServer as createTcp, type Socket } from "node:net";
import { once } from "node:events";
import t, { type Test } from "tap";
import { ApplicationSockets, noWebSocket } from "../../../src/handlers/applications/sockets.ts";

/** A connection, from the side of the server. */
async function accept(t: Test): Promise<Socket> {
  const server = createTcp().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [Socket];
  t.teardown(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return socket;
}

t.test(
  "a newer version closes the connections of the older one, and no older one its own",
  async (t) => {
    const sockets = new ApplicationSockets();
    const [old, young] = [await accept(t), await accept(t)];
    sockets.meet(1);
    sockets.add(old);
    sockets.meet(1);
    t.notOk(old.destroyed);
    sockets.meet(2);
    t.ok(old.destroyed);
    sockets.add(young);
    sockets.meet(1);
    t.notOk(young.destroyed);
  },
);

t.test("the error of an application without sockets", (t) => {
  t.match(noWebSocket("mod_ts/node a.ts"), { code: "MODTS_NO_WEBSOCKET", status: 400 });
  t.end();
});
