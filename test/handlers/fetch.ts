/** One round from options to answer; the rest is in test/apache/fetch.ts. */
import t from "tap";
import { createFetch } from "../../src/handlers/fetch.ts";
import { startEngine } from "../fixtures/gateway.ts";

const peer = await startEngine(t, {
  fetch: createFetch(),
  app: {
    default: (request: Request) => new Response(new URL(request.url).pathname),
    api: { fetch: () => Promise.reject(new Error("boom")) },
    nothing: () => {},
  },
});

const ask = (uri: string, ...options: string[]) =>
  peer.ask(["handler fetch", ...options.map((text) => `option mod_ts.fetch.${text}`)], {
    context: { uri, line: `GET ${uri} HTTP/1.1` },
  });

t.test("application and base", async (t) => {
  t.match(await ask("/a/b", "application app"), { status: 200, body: "/a/b" });
  t.match(await ask("/a/b", "application app", "base /a"), { status: 200, body: "/b" });
  t.match(await ask("/b/b", "application app", "base /a"), { status: 404 });
});

t.test("mistakes", async (t) => {
  t.match(await ask("/"), { status: 500 });
  t.match(peer.log(), "MODTS_BAD_OPTION: Use TsOption mod_ts.fetch.application");
  t.match(await ask("/", "application app::api"), { status: 500 });
  t.match(peer.log(), /mod_ts\/fetch app::api failed in phase handler[^]*boom/);
  t.match(await ask("/", "application app::nothing"), { status: 500 });
  t.match(peer.log(), "MODTS_NO_RESPONSE");
  t.match(await ask("/", "application app::missing"), { status: 500 });
  t.match(peer.log(), "MODTS_MISSING_EXPORT");
});
