import t from "tap";
import { endToEnd, toRecord } from "../../src/origin/message-headers.ts";

t.test("what ends at a hop", async (t) => {
  const hops =
    "Connection Keep-Alive Proxy-Authenticate Proxy-Authorization Proxy-Connection TE Trailer Transfer-Encoding Upgrade";
  const raw = hops.split(" ").flatMap((name) => [name, "x-named, X-Other"]);
  const kept = ["X-Named", "1", "x-other", "2", "MOD-TS-X", "3", "Modest", "4", "X-named-not", "5"];
  t.same(endToEnd([...raw, ...kept]), ["Modest", "4", "X-named-not", "5"]);
  t.same(endToEnd(["connection", "close", "Cookie", "a"]), ["Cookie", "a"]);
});

t.test("a record, with every value of a name, whatever it is called", async (t) => {
  const raw = ["A", "1", "a", "2", "b", "3", "__proto__", "4", "c", "5"];
  const record = toRecord(raw, (name) => name === "c");
  t.same(Object.entries(record), [
    ["a", ["1", "2"]],
    ["b", "3"],
    ["__proto__", "4"],
  ]);
});
