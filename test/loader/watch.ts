import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { Watch } from "../../src/loader/watch.ts";

for (const interval of [undefined, 20]) {
  t.test(`hears of files, there and not yet there, interval ${interval}`, async (t) => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "mod-ts-watch-")));
    const [there, missing] = [join(folder, "a.ts"), join(folder, "b.ts")];
    await writeFile(there, "0");
    const heard = new Set<string>();
    const watch = new Watch((paths) => paths.forEach((path) => heard.add(path)), interval);
    t.teardown(async () => {
      await watch.close();
      await rm(folder, { recursive: true });
    });
    watch.add([there, missing]);
    watch.add([there]);
    for (let turn = 1; heard.size < 2 && turn < 100; turn++) {
      await writeFile(there, "x".repeat(turn));
      await writeFile(missing, "x".repeat(turn));
      await sleep(50);
    }
    t.same([...heard].toSorted(), [there, missing]);
  });
}

t.test("closed before it began, and closed while it begins", async (t) => {
  await new Watch(() => t.fail()).close();
  const watch = new Watch(() => t.fail());
  watch.add(["/nowhere/a.ts"]);
  await watch.close();
  watch.add(["/nowhere/b.ts"]);
});
