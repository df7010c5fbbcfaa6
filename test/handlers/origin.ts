import t from "tap";
import { createOrigin } from "../../src/handlers/origin.ts";
import { Origin } from "../../src/origin/origin.ts";
import { startEngine } from "../fixtures/gateway.ts";
import { answering, startRawServer } from "../fixtures/origin.ts";

const origin = new Origin(undefined);
t.teardown(() => origin.close());
const first = { handler: () => -1 };

t.test("the last of a list answers", async (t) => {
  const server = await startRawServer(t, answering("from there", "X-A: 1"));
  const peer = await startEngine(t, { first, origin: createOrigin(origin) });
  const lines = ["handler first mod_ts/origin", `option mod_ts.origin.url ${server.url}`];
  t.match(await peer.ask(lines, { body: "text", method: "PUT" }), {
    status: 200,
    body: "from there",
    headers: { "x-a": "1" },
  });
  t.match(
    server.bytes(),
    /^PUT \/a\/b\?x=1 HTTP\/1\.1\r\n[^]*\r\ncontent-length: 4\r\n[^]*\r\n\r\ntext$/,
  );
});

t.test("no upstream named, and Apache cannot be called back", async (t) => {
  const peer = await startEngine(t, { origin: createOrigin(origin) });
  t.equal((await peer.ask(["handler mod_ts/origin"])).status, 500);
  t.match(peer.log(), /MODTS_ORIGIN_UNSET/);
});
