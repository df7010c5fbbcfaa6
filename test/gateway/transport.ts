/** The way of a request from its connection to the engine, and the end of connections. */
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import { type Place, ShortLived } from "../../src/gateway/transport.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import { contextHeader } from "../fixtures/context-header.ts";
import { startEngine } from "../fixtures/gateway.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const context = `Mod-Ts-Context: ${contextHeader()}`;

/** Handlers that respond when the test opens the gate, and report how many of them wait. */
function gated() {
  const gate = Promise.withResolvers<void>();
  const counts = { waiting: 0 };
  const handler = async (req: ApacheRequest): Promise<number> => {
    counts.waiting += 1;
    if (req.headersIn.has("x-begin")) {
      req.write("begun ");
      await req.flush();
    }
    await gate.promise;
    req.write("done");
    return 0;
  };
  return { handler, counts, open: () => gate.resolve() };
}

t.test("a location is served by the handler and the pool that it names", async (t) => {
  const handler = (req: ApacheRequest): void => void req.write(`${req.uri} by ${req.interpreter}`);
  const peer = await startEngine(t, { hello: { handler } });
  t.match(await peer.ask(["handler hello"]), { status: 200, body: "/a/b by main" });
  t.match(await peer.ask(["interpreter main", "handler hello"]), { status: 200 });
  t.match(await peer.ask(["interpreter other", "handler hello"]), { status: 500 });
  t.match(peer.log(), /MODTS_WRONG_INTERPRETER: .*pool other arrived at pool main/);
  t.match(await peer.ask([]), { status: 500 });
  t.match(peer.log(), "MODTS_NO_HANDLER", "a location without a content handler");
});

t.test("a peer that is not Apache reaches no handler", async (t) => {
  let calls = 0;
  const handler = (): number => (calls += 1) && 0;
  const peer = await startEngine(
    t,
    { hello: { handler } },
    {},
    {
      secret: "0123456789abcdef",
    },
  );
  for (const lines of [[], [context], [`${context}0`], [context, context]]) {
    const config = "Mod-Ts-Config: handler hello";
    const client = new RawClient(peer.port).head("GET / HTTP/1.1", config, ...lines);
    t.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 403 /, lines.join());
  }
  t.equal(calls, 0, "the handler was never called");
});

t.test("only a context of HTTP/1.1 or newer makes a message an upgrade", async (t) => {
  const { gateway } = await startEngine(t, {});
  const isUpgrade = (sent?: string): boolean => {
    const message = new IncomingMessage(new Socket());
    message.method = "GET";
    message.headers = { upgrade: "websocket", connection: "upgrade" };
    if (sent !== undefined) message.headers["mod-ts-context"] = sent;
    return gateway.isUpgrade(message);
  };
  for (const protocol of ["HTTP/1.1", "HTTP/2.0"])
    t.equal(isUpgrade(contextHeader({ protocol })), true, protocol);
  for (const protocol of ["HTTP/0.9", "HTTP/1.0", "", "1.1", "HTTP/", "x HTTP/1.1"])
    t.equal(isUpgrade(contextHeader({ protocol })), false, protocol);
  for (const broken of [undefined, "", ";", "HTTP/1.1", ";2;HTTP/1.1", ";".repeat(40)])
    t.equal(isUpgrade(broken), false, broken ?? "none");
});

t.test(
  "more requests than may wait are 503; a response that has begun does not wait",
  async (t) => {
    const { handler, counts, open } = gated();
    const peer = await startEngine(t, { slow: { handler } }, {}, { waitingRequests: 2 });
    const begun = peer.ask(["handler slow"], { headers: { "x-begin": "1" } });
    await until(() => String(counts.waiting), "1");
    const waiting = [peer.ask(["handler slow"]), peer.ask(["handler slow"])];
    await until(() => String(counts.waiting), "3");
    t.match(await peer.ask(["handler slow"]), { status: 503, headers: { "retry-after": /^\d+$/ } });
    t.match(peer.log(), "MODTS_OVERLOADED");
    open();
    t.match(await begun, { status: 200, body: "begun done" });
    for (const reply of await Promise.all(waiting)) t.match(reply, { status: 200, body: "done" });
    t.match(await peer.ask(["handler slow"]), { status: 200 }, "then there is room again");
  },
);

t.test(
  "drain closes what is idle, lets finish what runs, and resolves when all are closed",
  async (t) => {
    const { handler, counts, open } = gated();
    const hello = { handler: (req: ApacheRequest): void => void req.write("hello") };
    const peer = await startEngine(
      t,
      { slow: { handler }, hello },
      {},
      {
        keepAlive: 60_000,
      },
    );
    const lines = ["Mod-Ts-Config: handler slow", context];
    const silent = new RawClient(peer.port);
    const idle = new RawClient(peer.port).head(
      "GET / HTTP/1.1",
      "Mod-Ts-Config: handler hello",
      context,
    );
    await idle.until(/hello/);
    const running = new RawClient(peer.port).head("GET / HTTP/1.1", ...lines);
    await until(() => String(counts.waiting), "1");
    let isDrained = false;
    const drained = peer.gateway.drain(0).then(() => (isDrained = true));
    await Promise.all([idle.closed, silent.closed]);
    t.notOk(isDrained, "a request still runs");
    open();
    t.match(await running.until(/done/), /^HTTP\/1\.1 200 OK\r\n/, "it is finished");
    running.leave();
    await drained;
    await peer.gateway.drain(0);
    t.pass("without connections it resolves at once");
  },
);

t.test("a drained gateway closes a connection after its next response", async (t) => {
  const handler = (req: ApacheRequest): void => void req.write("hello");
  const peer = await startEngine(t, { hello: { handler } }, {}, { keepAlive: 60_000 });
  const lines = ["Mod-Ts-Config: handler hello", context];
  const client = new RawClient(peer.port).head("GET / HTTP/1.1", ...lines);
  await client.until(/hello/);
  t.notMatch(client.text, /Connection: close/i, "until then it is kept");
  const drained = peer.gateway.drain(2000);
  client.text = "";
  client.head("GET / HTTP/1.1", ...lines);
  t.match(await client.closed, /Connection: close[^]*hello/i);
  await drained;
});

t.test("values come and go in any order", async (t) => {
  const names = new ShortLived<string>();
  const [a, b, c] = ["a", "b", "c"].map((name) => names.add(name)) as [
    Place<string>,
    Place<string>,
    Place<string>,
  ];
  t.strictSame([...names], ["a", "b", "c"]);
  t.equal(names.delete(a), true);
  t.equal(names.delete(a), false, "once");
  t.strictSame([...names].toSorted(), ["b", "c"]);
  t.equal(names.delete(c), true);
  const d = names.add("d");
  t.strictSame([...names].toSorted(), ["b", "d"]);
  t.equal(names.size, 2);
  t.ok(names.delete(b) && names.delete(d));
  t.equal(names.size, 0);
});

t.test("what was removed does not reach the old generation", async (t) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { type: "major" | "minor" }) => void;
  const bytes = (): number =>
    getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space")
      ?.space_used_size ?? 0;
  const values = new ShortLived<string[]>();
  const turn = (): void => {
    const places = Array.from({ length: 16 }, () => values.add(Array.from("x".repeat(1000))));
    for (const place of places) values.delete(place);
  };
  // As after a full collection while requests are running.
  const held = values.add([]);
  turn();
  collect({ type: "major" });
  const before = bytes();
  for (let n = 0; n < 200; n += 1) {
    turn();
    if (n % 10 === 0) collect({ type: "minor" });
  }
  // With a Set, the 3,200 arrays of 8 KB stay.
  t.ok(bytes() - before < 4_000_000, `${bytes() - before} bytes more`);
  values.delete(held);
});
