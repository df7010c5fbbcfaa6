/** Sessions that a logout ended: in files, and in a real Redis. */
import fs, { existsSync, readdirSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { Redis } from "ioredis";
import t, { type Test } from "tap";
import {
  EndedInFiles,
  EndedInRedis,
} from "../../../../src/handlers/auth/credentials/ended-sessions.ts";
import { startRedis } from "../../../fixtures/redis.ts";

const redis = await startRedis(t);
const skip = redis ? {} : { skip: "no Redis" };

function openShared(t: Test): EndedInRedis {
  const ended = new EndedInRedis(redis?.url ?? "");
  t.teardown(() => ended.close());
  return ended;
}

const id = (digit: string): string => digit.repeat(32);

t.test("are known to every process, until they would have expired", async (t) => {
  const folder = join(t.testdir({}), "ended");
  const ended = new EndedInFiles(folder);
  t.notOk(ended.has(id("a")));
  const later = Math.floor(Date.now() / 1000) + 1000;
  ended.add(id("a"), later);
  ended.add(id("a"), later);
  t.ok(ended.has(id("a")));
  t.ok(new EndedInFiles(folder).has(id("a")));
  t.notOk(ended.has(id("b")));
  ended.add(id("c"), 1000);
  ended.add(id("d"), later);
  t.strictSame(readdirSync(folder).toSorted(), [id("a"), id("d")], "an expired one needs no note");
});

/** Calls of the file system during an action. */
function countCalls(action: () => void): number {
  const names = [
    "mkdirSync",
    "opendirSync",
    "readdirSync",
    "rmSync",
    "statSync",
    "utimesSync",
    "writeFileSync",
  ] as const;
  const originals = names.map((name) => [name, fs[name]] as const);
  let calls = 0;
  for (const [name, original] of originals) {
    Object.assign(fs, {
      [name]: (...args: unknown[]) => ((calls += 1), Reflect.apply(original, fs, args)),
    });
  }
  syncBuiltinESMExports();
  try {
    action();
  } finally {
    Object.assign(fs, Object.fromEntries(originals));
    syncBuiltinESMExports();
  }
  return calls;
}

t.test(
  "a logout costs the same whatever others have left, and old notes go in the end",
  async (t) => {
    const folder = t.testdir({});
    const later = Math.floor(Date.now() / 1000) + 1000;
    const idOf = (count: number): string => count.toString(16).padStart(32, "0");
    for (let count = 0; count < 600; count += 1) {
      const file = join(folder, idOf(count));
      fs.writeFileSync(file, "");
      fs.utimesSync(file, count % 2 ? later : 1000, count % 2 ? later : 1000);
    }
    const ended = new EndedInFiles(folder);
    const calls = Array.from({ length: 450 }, (_, count) =>
      countCalls(() => ended.add(idOf(10_000 + count), later)),
    );
    t.ok(Math.max(...calls) <= 12, `at most ${Math.max(...calls)} calls of the file system`);
    const notes = readdirSync(folder);
    t.equal(notes.length, 300 + 450);
    t.ok(notes.every((name) => fs.statSync(join(folder, name)).mtimeMs > Date.now()));
  },
);

t.test("no id becomes a path or a key", async (t) => {
  const folder = t.testdir({});
  const ended = new EndedInFiles(folder);
  for (const bad of ["../x", "", "a", id("A"), `${id("a")}/..`]) {
    t.throws(() => ended.add(bad, 1), TypeError);
    t.throws(() => ended.has(bad), TypeError);
    if (redis) await t.rejects(openShared(t).has(bad));
  }
  t.notOk(existsSync(join(folder, "../x")));
});

t.test(
  "in Redis they are known to every machine, until they would have expired",
  skip,
  async (t) => {
    const [one, other] = [openShared(t), openShared(t)];
    t.equal(await one.has(id("a")), false);
    await one.add(id("a"), Math.floor(Date.now() / 1000) + 1000);
    t.equal(await other.has(id("a")), true);
    t.equal(await other.has(id("b")), false);
    const client = new Redis(redis?.url ?? "");
    t.teardown(() => client.disconnect());
    const [key = "", ...more] = await client.keys("mod_ts:*");
    t.same(more, []);
    const seconds = await client.ttl(key);
    t.ok(seconds > 900 && seconds <= 1000, `${seconds} s`);
    await one.add(id("c"), 1000);
  },
);

t.test("without an answer of Redis nobody is let in", skip, async (t) => {
  const ended = openShared(t);
  t.equal(await ended.has(id("a")), true);
  await redis?.stop();
  const failure = { code: "MODTS_SESSION_STORE", message: /Redis/ };
  await t.rejects(ended.has(id("a")), failure);
  await t.rejects(ended.add(id("d"), 1000), failure);
  await redis?.start();
  t.equal(await ended.has(id("d")), false);
});
