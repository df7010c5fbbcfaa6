/** Refusals tell the log why, and the client only while somebody debugs. */
import t from "tap";
import { logChannel } from "../../src/channels.ts";
import { refuse } from "../../src/publisher/refuse.ts";
import { serve } from "../fixtures/exchange-server.ts";

t.test("why", async (t) => {
  const lines: unknown[] = [];
  const listen = (record: unknown): void => void lines.push(record);
  logChannel.subscribe(listen);
  t.teardown(() => logChannel.unsubscribe(listen));
  const plain = await serve(t, (req) => {
    throw refuse(req, 404, "there is no x");
  });
  t.match(await plain.ask(), { status: 404, body: "" });
  const debug = await serve(
    t,
    (req) => {
      throw refuse(req, 403, "it is private");
    },
    { debug: true },
  );
  t.match(await debug.ask(), { status: 403, body: "it is private\n" });
  t.match(lines, [
    { level: "info", message: "mod_ts/publisher: 404 for /a/b: there is no x" },
    { level: "info", message: "mod_ts/publisher: 403 for /a/b: it is private" },
  ]);
});
