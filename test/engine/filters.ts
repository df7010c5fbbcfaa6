/** Filters of a location on the way of a request through the engine. */
import t from "tap";
import { type ApacheRequest, HttpError, OK } from "../../src/index.ts";
import { startEngine } from "../fixtures/gateway.ts";

const module = {
  async handler(req: ApacheRequest) {
    req.contentType = "text/plain";
    req.write((await req.text()) || "room 101");
    return OK;
  },
  outputFilter: (text: string) => text.replaceAll("1", "#"),
  append: (text: string) => `${text}!`,
  refuses: () => {
    throw new HttpError(451, { body: "not here" });
  },
  fails: () => {
    throw new Error("no");
  },
  async *failsLater(chunks: AsyncIterable<Uint8Array>) {
    yield* chunks;
    throw new Error("no");
  },
  inputFilter: (text: string) => text.toUpperCase(),
  nested: { filter: (text: string) => `[${text}]` },
  number: 5,
};
const peer = await startEngine(t, { m: module });

t.test("filters run in the order of sections and lines", async (t) => {
  const lines = ["handler m", "outputfilter m m::append", "outputfilter m::nested.filter"];
  t.match(await peer.ask(lines), { status: 200, body: "[room #0#!]" });
  t.equal((await peer.ask([...lines, "outputfilter none"])).body, "room 101", "none drops all");
  t.equal(
    (await peer.ask(["handler m", "outputfilter m | text/html"])).body,
    "room 101",
    "by type",
  );
  t.equal((await peer.ask(["handler m", "outputfilter m | text/*"])).body, "room #0#");
});

t.test("the handler after a question mark serves where no other does", async (t) => {
  t.equal((await peer.ask(["handler ?m", "outputfilter m"])).body, "room #0#");
  t.equal((await peer.ask(["handler m", "handler ?mod_ts/none", "outputfilter m"])).status, 200);
});

t.test("an error before the first byte replaces the response", async (t) => {
  t.match(await peer.ask(["handler m", "outputfilter m::refuses"]), {
    status: 451,
    body: "not here",
  });
  t.match(await peer.ask(["handler m", "outputfilter m::fails"]), { status: 500, body: /500/ });
  t.match(peer.log(), /MODTS_FILTER_FAILED: filter m::fails failed/);
  const late = peer.ask(["handler m", "outputfilter m::failsLater"]);
  t.equal((await late.catch(() => ({ complete: false }))).complete, false, "later it is cut off");
});

t.test("mistakes in the configuration", async (t) => {
  const codes = {
    "m::none": "MODTS_MISSING_EXPORT",
    "m::number": "MODTS_NOT_CALLABLE",
    "m::toString": "MODTS_MISSING_EXPORT",
    "m | html": "MODTS_BAD_REFERENCE",
  };
  for (const [text, code] of Object.entries(codes)) {
    const before = peer.log().length;
    t.equal((await peer.ask(["handler m", `outputfilter ${text}`])).status, 500, text);
    t.match(peer.log().slice(before), code, text);
  }
});

t.test("request bodies", async (t) => {
  const post = { method: "POST", body: "abc", headers: { "Content-Type": "text/plain" } };
  t.equal((await peer.ask(["handler m", "inputfilter m"], post)).body, "ABC");
  t.match(await peer.ask(["handler m", "inputfilter m::refuses"], post), { status: 451 });
  t.equal((await peer.ask(["handler m", "inputfilter m | text/html"], post)).body, "abc");
  t.equal(
    (await peer.ask(["handler m", "inputfilter m::refuses"])).body,
    "room 101",
    "none to filter",
  );
});
