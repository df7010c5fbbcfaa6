import t from "tap";
import { closest } from "../../src/base/did-you-mean.ts";

const commands = ["start", "dev", "check", "conf", "reload", "run", "init"];

t.test("typing mistakes", async (t) => {
  t.equal(closest("strat", commands), "start", "swapped");
  t.equal(closest("relod", commands), "reload", "left out");
  t.equal(closest("checkk", commands), "check", "doubled");
  t.equal(closest("INIT", commands), "init", "case");
  t.equal(closest("bodybytes", ["headerBytes", "bodyBytes"]), "bodyBytes");
});

t.test("nothing near enough", async (t) => {
  t.equal(closest("frobnicate", commands), undefined);
  t.equal(closest("xyz", commands), undefined);
  t.equal(closest("", commands), undefined);
  t.equal(closest("start", []), undefined);
});
