import t from "tap";
import { logChannel } from "../../src/channels.ts";
import { ApacheServer } from "../../src/request/server.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

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
