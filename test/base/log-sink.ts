/** Log lines that cannot be written: nothing is thrown, nothing waits, the lines are counted. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { openLogFile, openStandardError } from "../../src/base/log-sink.ts";
import { until } from "../fixtures/until.ts";

const folderOf = (t: Test): string => {
  const folder = mkdtempSync(join(tmpdir(), "mod-ts-log-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

t.test("a handler cannot end the streams that all processes of a service share", async (t) => {
  const path = join(folderOf(t), "journal");
  let text = "";
  const server = createServer((reader) => {
    reader.setEncoding("utf8").on("data", (part: string) => (text += part));
  }).listen(path);
  t.teardown(() => server.close());
  await once(server, "listening");
  const socket = connect(path);
  t.teardown(() => socket.destroy());
  await once(socket, "connect");
  const sink = new URL("../../src/base/log-sink.ts", import.meta.url).href;
  const program = `
    const { protectStreams } = await import(${JSON.stringify(sink)});
    const { spawnSync } = await import("node:child_process");
    protectStreams();
    process.stderr.end("last, ");
    process.stderr.destroy();
    process.stdout.end();
    process.stderr.write("own, ", () =>
      spawnSync("/bin/sh", ["-c", "echo other >&2"], { stdio: "inherit" }));`;
  spawn(process.execPath, ["--eval", program], { stdio: ["ignore", socket, socket] });
  t.equal(await until(() => text, "other"), "last, own, other\n");
});

const isRoot = process.geteuid?.() === 0;

t.test(
  "a full disk loses lines, which are counted; with room again, whole lines are written",
  { skip: isRoot ? false : "only root mounts a file system" },
  async (t) => {
    const folder = folderOf(t);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
    t.teardown(() => execFileSync("umount", [folder]));
    const file = join(folder, "log");
    writeFileSync(join(folder, "ballast"), Buffer.alloc(32 * 1024));
    const sink = openLogFile(file);
    t.teardown(() => sink.close());
    const line = `${"x".repeat(99)}\n`;
    for (let count = 0; count < 1000; count += 1) sink.write(line);
    t.equal(sink.losses.take(), undefined, "nothing is reported while the disk is full");
    rmSync(join(folder, "ballast"));
    sink.write("room\n");
    const text = readFileSync(file, "utf8");
    const whole = text.split("\n").filter((each) => each.length === 99).length;
    t.match(sink.losses.take(), { count: 1000 - whole, reason: "ENOSPC" });
    t.equal(text.trimEnd().split("\n").at(-1), "room", "a torn line does not swallow the next one");
  },
);

t.test("a renamed file is opened again", async (t) => {
  const file = join(folderOf(t), "log");
  const sink = openLogFile(file);
  sink.write("one\n");
  renameSync(file, `${file}.1`);
  sink.write("two\n");
  sink.reopen();
  sink.write("three\n");
  sink.close();
  t.equal(readFileSync(`${file}.1`, "utf8"), "one\ntwo\n");
  t.equal(readFileSync(file, "utf8"), "three\n");
  t.throws(() => openLogFile(join(file, "no-directory")), { code: "ENOTDIR" });
});

t.test("a reader that stops loses lines, and the writer neither waits nor grows", async (t) => {
  // The reader begins to read when its standard input ends.
  const reader = spawn("/bin/sh", ["-c", "cat <&3 >/dev/null; cat"], {
    stdio: ["pipe", "pipe", "inherit", "pipe"],
  });
  const stream = reader.stdin as unknown as NodeJS.WriteStream;
  const sink = openStandardError(-1, stream);
  const line = `${"x".repeat(1023)}\n`;
  for (let count = 0; count < 4096; count += 1) sink.write(line);
  t.ok(stream.writableLength < 2 * 1024 ** 2, `${stream.writableLength} bytes wait`);
  t.equal(sink.losses.take(), undefined);
  let text = "";
  reader.stdout!.setEncoding("utf8").on("data", (part: string) => (text += part));
  (reader.stdio[3] as NodeJS.WritableStream).end();
  while (stream.writableLength > 0) await once(stream, "drain");
  sink.write("again\n");
  const lost = sink.losses.take();
  t.match(lost, { count: Number, reason: "the reader is slow" });
  stream.end();
  await once(reader, "close");
  t.equal(text.length, (4096 - lost!.count) * 1024 + "again\n".length);
});

t.test("a closed pipe loses lines and throws nothing", async (t) => {
  const reader = spawn("/bin/true", { stdio: ["pipe", "ignore", "inherit"] });
  const stream = reader.stdin as unknown as NodeJS.WriteStream;
  stream.on("error", () => {});
  await once(reader, "exit");
  const sink = openStandardError(-1, stream);
  for (let count = 0; count < 10; count += 1) {
    sink.write("text\n");
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(stream.errored || stream.destroyed);
  t.equal(sink.losses.take(), undefined, "nothing is reported where nobody reads");
});
