import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import t from "tap";
import { logChannel } from "../../src/base/channels.ts";
import { ModTsError } from "../../src/base/errors.ts";
import { refuse } from "../../src/gateway/refuse.ts";
import type { LogRecord } from "../../src/base/log.ts";

const records: LogRecord[] = [];
const listen = (record: unknown): void => void records.push(record as LogRecord);
logChannel.subscribe(listen);
t.teardown(() => logChannel.unsubscribe(listen));

let act: (reply: ServerResponse) => void = () => {};
const server = createServer((_, reply) => act(reply)).listen(0, "127.0.0.1");
t.teardown(() => (server.closeAllConnections(), server.close()));
await once(server, "listening");
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

t.test("the status of the error to the peer, its message to the log", async (t) => {
  act = (reply) => refuse(reply, new ModTsError("MODTS_SECRET_WRONG"));
  const reply = await fetch(url);
  t.equal(reply.status, 403);
  t.notMatch(await reply.text(), /secret/i);
  t.match(records.at(-1), { code: "MODTS_SECRET_WRONG", level: "error" });
});

t.test("a stranger's error, or one that is no client's, is 500", async (t) => {
  for (const error of [new Error("why"), "why", new ModTsError("MODTS_FCGI_PROTOCOL")]) {
    act = (reply) => refuse(reply, error);
    const reply = await fetch(url);
    t.equal(reply.status, 500);
    t.notMatch(await reply.text(), /why/);
  }
});

t.test("an answer that has begun is cut off", async (t) => {
  act = (reply) => {
    reply.write("half");
    refuse(reply, new Error("why"));
  };
  await t.rejects(fetch(url).then((reply) => reply.text()));
});
