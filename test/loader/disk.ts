import { mkdir, mkdtemp, realpath, rm, utimes, writeFile } from "node:fs/promises";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { Disk, realpath as realpathOf, type Input } from "../../src/loader/disk.ts";

const folder = await realpath(await mkdtemp(join(tmpdir(), "mod-ts-disk-")));
const file = join(folder, "a.ts");
t.teardown(() => rm(folder, { recursive: true }));
t.beforeEach(() => writeFile(file, "one"));

const inputOf = (disk: Disk, path: string): Input => ({
  path,
  real: path,
  snapshot: disk.look(path).snapshot,
});

t.test("one stat serves a turn of the event loop, and no more than that", async (t) => {
  const disk = new Disk();
  const turn = disk.turn();
  const before = disk.signature(file);
  writeFileSync(file, "longer");
  t.equal(disk.signature(file), before, "the same turn: asked once");
  t.equal(disk.turn(), turn);
  await setImmediate();
  t.not(disk.turn(), turn);
  t.equal(disk.signature(file)?.size, 6);
  writeFileSync(file, "longest");
  disk.endTurn();
  t.equal(disk.signature(file)?.size, 7);
});

t.test("a stat made in a timer does not survive the next poll", async (t) => {
  const disk = new Disk();
  const turns = await new Promise<number[]>((resolve) => {
    setTimeout(() => {
      const inTimer = disk.turn();
      // A callback of the check phase comes after the poll that follows the timer.
      globalThis.setImmediate(() => resolve([inTimer, disk.turn()]));
    }, 1);
  });
  t.not(turns[0], turns[1]);
});

t.test("a second write with the same time stamp is seen", async (t) => {
  const disk = new Disk();
  const input = inputOf(disk, file);
  const { signature } = input.snapshot;
  input.snapshot.racy = true;
  await writeFile(file, "two");
  disk.endTurn();
  // A coarse clock would give both writes one stamp: make the snapshot say so.
  Object.assign(signature as object, disk.signature(file));
  t.notOk(disk.isFresh(input));
  t.equal(disk.look(file).snapshot.text, "two");
});

t.test("an old file is believed by its stamp alone", async (t) => {
  const disk = new Disk();
  const input = inputOf(disk, file);
  input.snapshot.racy = true;
  await sleep(30);
  t.ok(disk.isFresh(input));
  t.notOk(input.snapshot.racy, "the text was compared once, long enough after the write");
});

t.test("a touch changes the signature and not the text", async (t) => {
  const disk = new Disk();
  const input = inputOf(disk, file);
  await utimes(file, 1, 1);
  t.notOk(disk.isFresh(input));
  t.equal(disk.look(file).snapshot.text, input.snapshot.text);
});

t.test("a file that has just vanished, or is just empty, is waited for", async (t) => {
  const damages = [
    { damage: () => rm(file), text: undefined },
    { damage: () => writeFile(file, ""), text: "" },
  ];
  for (const { damage, text } of damages) {
    await writeFile(file, "one");
    await setImmediate();
    const disk = new Disk();
    disk.look(file);
    await damage();
    await setImmediate();
    t.match(disk.look(file), { snapshot: { text: "one" }, settled: false });
    await sleep(120);
    t.match(disk.look(file), { snapshot: { text }, settled: true });
  }
});

t.test("an empty file that was never anything else is simply empty", async (t) => {
  const disk = new Disk();
  await writeFile(file, "");
  t.match(disk.look(file), { snapshot: { text: "" }, settled: true });
});

t.test("what is no file", async (t) => {
  const disk = new Disk();
  await mkdir(join(folder, "d"));
  for (const path of [join(folder, "d"), join(file, "under"), join(folder, "none")]) {
    t.equal(disk.signature(path), undefined);
    t.match(disk.look(path), {
      snapshot: { signature: undefined, text: undefined },
      settled: true,
    });
  }
  t.equal(realpathOf(join(folder, "none")), undefined);
});

t.test("a forgotten file is looked at anew", async (t) => {
  const disk = new Disk();
  disk.look(file);
  disk.forget(file);
  await rm(file);
  await setImmediate();
  t.match(disk.look(file), { snapshot: { text: undefined }, settled: true });
});
