import t from "tap";
import { logChannel } from "../../src/channels.ts";
import { ApacheConnection } from "../../src/request/connection.ts";
import type { Exchange } from "../../src/request/exchange.ts";
import { ApacheServer } from "../../src/request/server.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

t.test("members", async (t) => {
  const controller = new AbortController();
  const context = contextOf({ environment: { REMOTE_HOST: "client.example" } });
  const server = new ApacheServer(context);
  const connection = new ApacheConnection(context, controller as unknown as Exchange, server);
  t.equal(connection.clientIp, "198.51.100.1");
  t.strictSame(connection.clientAddr, ["198.51.100.1", 52110]);
  t.equal(connection.remotePort, 52110);
  t.equal(connection.remoteHost, "client.example");
  t.equal(connection.baseServer, server);
  t.equal(connection.aborted, false);
  controller.abort();
  t.equal(connection.aborted, true);
});

t.test("logError", async (t) => {
  const records: unknown[] = [];
  const listener = (record: unknown): void => void records.push(record);
  logChannel.subscribe(listener);
  const context = contextOf();
  const connection = new ApacheConnection(context, {} as Exchange, new ApacheServer(context));
  connection.logError("one");
  logChannel.unsubscribe(listener);
  t.strictSame(records, [{ level: "error", message: "one", client: "198.51.100.1:52110" }]);
  t.equal(connection.remoteHost, null);
});
