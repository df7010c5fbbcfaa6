import t from "tap";
import { logChannel } from "../../src/base/channels.ts";
import { ApacheConnection, ApacheServer } from "../../src/request/connection.ts";
import type { Exchange } from "../../src/request/exchange.ts";
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

t.test("members", async (t) => {
  const server = new ApacheServer(contextOf({ options: { a: "1" }, serverPort: 8080 }));
  t.equal(server.serverAdmin, "admin@example.com");
  t.equal(server.serverHostname, "www.example.com");
  t.equal(server.port, 8080);
  t.equal(server.software, "Apache/2.4.71");
  t.strictSame(server.getOptions(), { a: "1" });
});

t.test("logError names no client", async (t) => {
  const records: unknown[] = [];
  const listener = (record: unknown): void => void records.push(record);
  logChannel.subscribe(listener);
  const server = new ApacheServer(contextOf());
  server.logError("one");
  server.logError("two", "info");
  logChannel.unsubscribe(listener);
  t.strictSame(records, [
    { level: "error", message: "one" },
    { level: "info", message: "two" },
  ]);
});
