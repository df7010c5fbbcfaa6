import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { EndedSessions } from "../../src/credentials/ended-sessions.ts";

const id = (digit: string): string => digit.repeat(32);

t.test("are known to every process, until they would have expired", async (t) => {
  const folder = join(t.testdir({}), "ended");
  const ended = new EndedSessions(folder);
  t.notOk(ended.has(id("a")));
  const later = Math.floor(Date.now() / 1000) + 1000;
  ended.add(id("a"), later);
  ended.add(id("a"), later);
  t.ok(ended.has(id("a")));
  t.ok(new EndedSessions(folder).has(id("a")));
  t.notOk(ended.has(id("b")));
  ended.add(id("c"), 1000);
  ended.add(id("d"), later);
  t.strictSame(readdirSync(folder).toSorted(), [id("a"), id("d")], "an expired one needs no note");
});

t.test("no id becomes a path", async (t) => {
  const folder = t.testdir({});
  const ended = new EndedSessions(folder);
  for (const bad of ["../x", "", "a", id("A"), `${id("a")}/..`]) {
    t.throws(() => ended.add(bad, 1), TypeError);
    t.throws(() => ended.has(bad), TypeError);
  }
  t.notOk(existsSync(join(folder, "../x")));
});
