/** A body and the length that was announced for it. */
import t from "tap";
import { AnnouncedBody } from "../../src/cgi/announced-body.ts";
import { logChannel } from "../../src/channels.ts";
import { serve } from "../fixtures/exchange-server.ts";

async function send(length: string | undefined, parts: string[], head?: string) {
  const server = await serve(t, async (req) => {
    if (length !== undefined) req.headersOut.set("Content-Length", length);
    const body = new AnnouncedBody(req);
    for (const part of parts) await body.write(Buffer.from(part));
    body.requireWhole();
  });
  return { ...(await server.ask(head)), errors: server.errors };
}

t.test("as announced, or not announced", async (t) => {
  t.match(await send("4", ["ab", "cd"]), {
    body: "abcd",
    headers: { "content-length": "4" },
    errors: [],
  });
  t.match(await send(undefined, ["ab", "cd"]), { body: "abcd", errors: [] });
  t.match(await send("100", ["ab"], "HEAD /"), {
    status: 200,
    headers: { "content-length": "2" },
    errors: [],
  });
});

t.test("too much is dropped, and logged", async (t) => {
  const logged: unknown[] = [];
  const listener = (record: unknown): void => void logged.push(record);
  logChannel.subscribe(listener);
  t.match(await send("3", ["ab", "cd", "ef"]), { body: "abc", headers: { "content-length": "3" } });
  logChannel.unsubscribe(listener);
  t.match(logged, [{ level: "warn", message: /3 bytes.* 6/ }]);
});

t.test("too little is an error", async (t) => {
  t.match(await send("3", ["ab"]), { status: 500, errors: [{ code: "MODTS_LENGTH_MISMATCH" }] });
});
