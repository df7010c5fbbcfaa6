/** Threads that are ready. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { threadId } from "node:worker_threads";
import t from "tap";
import { ThreadPool } from "../../src/cgi/thread-pool.ts";
import { scriptFolder } from "../fixtures/script.ts";

t.test("each run has a thread of its own, the next one a thread that was ready", async (t) => {
  const file = join(scriptFolder(t), "id.cjs");
  writeFileSync(file, `console.log(require("node:worker_threads").threadId);`);
  const pool = new ThreadPool(256);
  const ids: number[] = [];
  for (let run = 0; run < 5; run += 1) {
    const started = await pool.run({ file, env: {}, childTimeout: 1000 });
    ids.push(Number(await text(started.stdout)));
    await started.ended;
  }
  t.equal(new Set([threadId, ...ids]).size, 6);
  await pool.close();
});

t.test("a closed pool keeps nothing ready", async (t) => {
  const pool = new ThreadPool(256);
  await pool.close();
  const file = join(scriptFolder(t), "hang.cjs");
  writeFileSync(file, "setInterval(() => {}, 1000);");
  const run = await pool.run({ file, env: {}, childTimeout: 1000 });
  run.kill();
  run.kill();
  t.match(await run.ended, { kind: "broken" });
});
