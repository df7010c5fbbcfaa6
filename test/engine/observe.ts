/** What is seen of a request: access log, slow log, Server-Timing, counts. */
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { counter } from "../../src/base/counts.ts";
import type { ApacheRequest } from "../../src/index.ts";
import { startEngine } from "../fixtures/gateway.ts";

const odd = { 'a\n"b': () => 0 }['a\n"b'];

const modules = {
  hello: { handler: (req: ApacheRequest) => void req.write("hello") },
  own: { handler: (req: ApacheRequest) => void ((req.status = 404), req.write("own")) },
  slow: { handler: async (req: ApacheRequest) => void (await sleep(600), req.write("slow")) },
  fails: {
    handler() {
      throw new Error("no");
    },
  },
  late: { accessHandler: () => 0 },
  odd: { handler: () => "text" },
  oddLater: { handler: async () => "text" },
  日本: { handler: () => 0 },
  adds: { handler: (req: ApacheRequest) => (req.addHandler("handler", odd), 0) },
};

t.test("a line for each request, without its query", async (t) => {
  const peer = await startEngine(t, modules, { logsAccess: true });
  await peer.ask(["handler hello"]);
  const record = peer.records.find(({ message }) => message.startsWith("request: "));
  t.match(record, {
    level: "info",
    message: /^request: GET \/a%2Fb 200 hello [\d.]+ ms$/,
    client: "192.0.2.7:40000",
    uniqueId: "id-1",
    fields: { method: "GET", path: "/a%2Fb", status: 200, handler: "hello" },
  });
});

t.test("a slow call is logged, a fast one is not", async (t) => {
  const peer = await startEngine(t, modules, { slowCall: 500 });
  await peer.ask(["access late", "handler slow"]);
  const slow = peer.records.filter(({ code }) => code === "MODTS_HANDLER_SLOW");
  t.match(slow, [{ level: "warn", fields: { handler: "slow", phase: "handler" } }]);
});

t.test("Server-Timing names each call, errors included", async (t) => {
  const peer = await startEngine(t, modules);
  const on = "option mod_ts.server_timing On";
  const good = await peer.ask(["access late", "handler hello", on]);
  t.match(
    good.headers["server-timing"],
    /^access;dur=[\d.]+;desc="late", handler;dur=[\d.]+;desc="hello"$/,
  );
  t.match((await peer.ask(["handler fails", on])).headers["server-timing"], 'desc="fails"');
  t.equal((await peer.ask(["handler hello"])).headers["server-timing"], undefined);
});

t.test("Server-Timing holds names in UTF-8, whatever is in them", async (t) => {
  const peer = await startEngine(t, modules);
  const on = "option mod_ts.server_timing On";
  const line = Buffer.from("handler 日本").toString("latin1");
  const header = (await peer.ask([line, on])).headers["server-timing"];
  t.match(Buffer.from(String(header), "latin1").toString(), 'desc="日本"');
  t.match((await peer.ask(["handler adds", on])).headers["server-timing"], 'desc="a \\"b"');
  t.equal(counter.active, 0);
});

t.test("calls and responses are counted; nothing is active at the end", async (t) => {
  const peer = await startEngine(t, modules);
  counter.take();
  for (const name of ["hello", "hello", "own", "fails"]) await peer.ask([`handler ${name}`]);
  const counts = counter.take();
  t.match(counts?.calls["handler"], {
    hello: { calls: 2, errors: 0 },
    own: { calls: 1, errors: 0 },
    fails: { calls: 1, errors: 1 },
  });
  t.match(counts?.events, { responses_2xx: 2, responses_4xx: 1, responses_5xx: 1 });
  t.equal(counter.active, 0);
});

t.test("a call with an outcome that is none has failed, now or later", async (t) => {
  const peer = await startEngine(t, modules);
  counter.take();
  for (const name of ["odd", "oddLater"]) {
    const answer = await peer.ask([`handler ${name}`, "option mod_ts.server_timing On"]);
    t.match(answer.headers["server-timing"], `desc="${name}"`);
  }
  const failed = { calls: 1, errors: 1 };
  t.match(counter.take()?.calls["handler"], { odd: failed, oddLater: failed });
});
