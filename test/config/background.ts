import t from "tap";
import { judgeBackground, resolveBackground } from "../../src/config/background.ts";

t.test("defaults", (t) => {
  t.same(resolveBackground(undefined), { pool: "main", modules: [], schedule: {} });
  t.same(resolveBackground({ pool: "jobs" }).pool, "jobs");
  t.end();
});

t.test("a pool that is none", (t) => {
  const mistakes: string[] = [];
  judgeBackground(resolveBackground({ pool: "jbs" }), ["main", "jobs"], mistakes);
  t.same(mistakes, ["background.pool: no pool jbs; expected one of main, jobs"]);
  t.end();
});
