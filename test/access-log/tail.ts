import { appendFileSync, renameSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type LogPosition, Tail } from "../../src/access-log/tail.ts";

/** Follows `log` in a directory of its own; `read` returns the lines of all batches there are. */
function follow(t: Test, { before, after }: { before?: string; after?: LogPosition } = {}) {
  const path = join(t.testdir(), "log");
  if (before !== undefined) writeFileSync(path, before);
  const tail = new Tail(path, after);
  t.teardown(() => tail.close());
  let position: LogPosition | undefined;
  const read = async (): Promise<string[]> => {
    const lines: string[] = [];
    for (let batch = await tail.read(); batch; batch = await tail.read()) {
      lines.push(...batch.lines.map(String));
      ({ position } = batch);
    }
    return lines;
  };
  return { path, read, position: () => position };
}

t.test("complete lines only, from the start", async (t) => {
  const { path, read } = follow(t);
  t.strictSame(await read(), [], "the file may come later");
  writeFileSync(path, "one\ntwo\nthr");
  t.strictSame(await read(), ["one", "two"]);
  t.strictSame(await read(), [], "an incomplete line waits");
  appendFileSync(path, "ee\n\nfour\n");
  t.strictSame(await read(), ["three", "four"]);
});

t.test("goes on at its position", async (t) => {
  const { path, read, position } = follow(t, { before: "one\n" });
  await read();
  appendFileSync(path, "two\n");
  const next = new Tail(path, position());
  t.teardown(() => next.close());
  t.strictSame((await next.read())?.lines.map(String), ["two"]);
});

t.test("rotation: the rest of the old file, then the new one", async (t) => {
  const { path, read, position } = follow(t, { before: "one\n" });
  await read();
  const before = position();
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, "two\n");
  t.strictSame(await read(), ["two"], "httpd writes to the old file until it is told");
  writeFileSync(path, "three\n");
  appendFileSync(`${path}.1`, "late\n");
  t.strictSame(await read(), ["late", "three"]);
  const next = new Tail(path, before);
  t.teardown(() => next.close());
  const lines: string[] = [];
  for (let batch = await next.read(); batch; batch = await next.read()) {
    lines.push(...batch.lines.map(String));
  }
  t.strictSame(lines, ["two", "late", "three"], "also when it was renamed while nobody read");
});

t.test("a truncated file begins again", async (t) => {
  const { path, read } = follow(t, { before: "one\ntwo\n" });
  await read();
  truncateSync(path);
  appendFileSync(path, "new\n");
  t.strictSame(await read(), ["new"]);
});

t.test("a position in a file that is gone", async (t) => {
  const path = join(t.testdir({ log: "one\n" }), "log");
  const { dev: device, ino } = statSync(path);
  const tail = new Tail(path, { device, inode: ino + 1, offset: 4 });
  t.teardown(() => tail.close());
  t.strictSame((await tail.read())?.lines.map(String), ["one"], "the present file from its start");
});

t.test("large files come in batches", async (t) => {
  const line = "x".repeat(999);
  const { read } = follow(t, { before: `${line}\n`.repeat(1000) });
  const lines = await read();
  t.equal(lines.length, 1000, "every line once");
  t.ok(
    lines.every((each) => each === line),
    "and whole",
  );
});
