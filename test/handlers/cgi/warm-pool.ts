/** Processes that are ready before they are needed. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import t from "tap";
import { WarmPool } from "../../../src/handlers/cgi/warm-pool.ts";
import { scriptFolder } from "../../fixtures/script.ts";
import { until } from "../../fixtures/until.ts";

const folder = scriptFolder(t);
const id = join(folder, "id.cjs");
writeFileSync(id, `console.log(process.pid);`);
const hang = join(folder, "hang.cjs");
writeFileSync(hang, "setInterval(() => {}, 1000);");

t.test("each script has a process of its own, and another one takes its place", async (t) => {
  const pool = new WarmPool(256, 4);
  t.equal(pool.spare, 0, "none before the first script");
  const pids: string[] = [];
  for (let run = 0; run < 3; run += 1) {
    const { stdout, ended } = pool.run(id, {});
    pids.push(await text(stdout));
    await ended;
    // On a busy machine the next script finds one that still starts: then there are more.
    await until(() => String(pool.spare), /[1-4]/);
  }
  t.equal(new Set(pids).size, 3, "three scripts, three processes");
  await pool.close();
  t.equal(pool.spare, 0);
});

t.test("a burst makes it larger, up to its limit", async (t) => {
  const pool = new WarmPool(256, 2);
  const runs = Array.from({ length: 4 }, () => pool.run(id, {}));
  await Promise.all(runs.map(({ ended }) => ended));
  t.equal(await until(() => String(pool.spare), "2"), "2", "as many ready as it may have");
  await pool.close();
});

t.test("without a place nothing is kept ready", async (t) => {
  const pool = new WarmPool(256, 0);
  t.match(await text(pool.run(id, {}).stdout), /^\d+\n$/);
  t.equal(pool.spare, 0);
  await pool.close();
});

t.test("a closed pool keeps nothing ready", async (t) => {
  const pool = new WarmPool(256, 4);
  await pool.close();
  const run = pool.run(hang, {});
  run.kill();
  run.kill();
  t.match(await run.ended, { kind: "broken" });
  t.equal(pool.spare, 0);
});
