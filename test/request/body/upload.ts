import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { text } from "node:stream/consumers";
import { basename, join } from "node:path";
import t, { type Test } from "tap";
import { safeFilename, Upload } from "../../../src/request/body/upload.ts";

const head = { name: "f", filename: "a.txt", clientFilename: "a.txt", type: "text/plain" };

function uploadOf(test: Test, content = "grüße"): { upload: Upload; folder: string; path: string } {
  const folder = test.testdir({});
  const path = join(folder, "temporary");
  writeFileSync(path, content, { mode: 0o600 });
  return { upload: new Upload(head, Buffer.byteLength(content), path), folder, path };
}

t.test("its bytes in three ways", async (t) => {
  const { upload } = uploadOf(t);
  t.equal(upload.size, 7);
  t.equal(String(await upload.bytes()), "grüße");
  t.equal(await upload.text(), "grüße");
  t.equal(await upload.text("latin1"), "grÃ¼ÃŸe");
  t.equal(await text(upload.stream()), "grüße");
});

t.test("saveAs moves it, and leaves alone what is there", async (t) => {
  const { upload, folder, path } = uploadOf(t);
  const target = join(folder, "kept.txt");
  await upload.saveAs(target);
  t.notOk(existsSync(path));
  t.equal(upload.path, target);
  t.equal(await upload.text(), "grüße");
  t.equal(statSync(target).mode & 0o777, 0o666 & ~process.umask(), "as the umask says");
  const second = uploadOf(t, "second");
  writeFileSync(join(second.folder, "there"), "first");
  await t.rejects(second.upload.saveAs(join(second.folder, "there")), { code: "EEXIST" });
  t.equal(readFileSync(join(second.folder, "there"), "utf8"), "first");
  t.ok(existsSync(second.path), "and the upload is still there");
  await second.upload.saveAs(join(second.folder, "there"), { overwrite: true });
  t.equal(readFileSync(join(second.folder, "there"), "utf8"), "second");
});

t.test(
  "across devices it is copied",
  { skip: !isOtherDevice() && "no other device" },
  async (t) => {
    const { upload, path } = uploadOf(t, "moved");
    const target = `/dev/shm/mod-ts-upload-${process.pid}`;
    await upload.saveAs(target);
    t.equal(readFileSync(target, "utf8"), "moved");
    t.notOk(existsSync(path));
    const again = uploadOf(t, "again");
    await t.rejects(again.upload.saveAs(target), { code: "EEXIST" });
    await again.upload.saveAs(target, { overwrite: true });
    t.equal(readFileSync(target, "utf8"), "again");
    t.notOk(existsSync(again.path));
    t.equal(statSync(target).mode & 0o777, 0o666 & ~process.umask(), "as the umask says");
    rmSync(target);
    mkdirSync(target);
    const third = uploadOf(t, "third");
    await t.rejects(third.upload.saveAs(target, { overwrite: true }), { code: "EISDIR" });
    t.ok(existsSync(third.path), "the upload is still there");
    const drafts = readdirSync("/dev/shm").filter((name) => name.includes(basename(target)));
    t.strictSame(drafts, [basename(target)], "and no draft");
    rmSync(target, { recursive: true });
  },
);

function isOtherDevice(): boolean {
  if (!existsSync("/dev/shm")) return false;
  return statSync("/dev/shm").dev !== statSync(import.meta.dirname).dev;
}

t.test("what onFile took has no place", async (t) => {
  const upload = new Upload(head, 3, undefined);
  t.equal(upload.path, undefined);
  for (const ask of [() => upload.bytes(), () => upload.stream()]) {
    t.throws(ask, { code: "MODTS_BAD_ARGUMENT" });
  }
  await t.rejects(upload.saveAs("/nowhere"), { code: "MODTS_BAD_ARGUMENT" });
});

t.test("names of clients become harmless", async (t) => {
  const cases: [string, string][] = [
    ["a.txt", "a.txt"],
    ["../../etc/passwd", "passwd"],
    ["..\\..\\boot.ini", "boot.ini"],
    ["C:\\x\\y.txt", "y.txt"],
    ["/", "file"],
    ["..", "file"],
    [" ", "file"],
    ["a\0b\r\nc.txt", "abc.txt"],
    ["invoice\u202Etxt.exe", "invoicetxt.exe"],
    [".htaccess", "htaccess"],
    ["x/. .htaccess", "htaccess"],
    ["...", "file"],
    ["a.b.", "a.b."],
    ["häuser 🏠.png", "häuser 🏠.png"],
  ];
  for (const [sent, name] of cases) t.equal(safeFilename(sent), name, JSON.stringify(sent));
  for (const long of [`${"ä".repeat(400)}.jpeg`, `${"🏠".repeat(200)}.png`, "x".repeat(1000)]) {
    const name = safeFilename(long);
    t.ok(Buffer.byteLength(name) <= 255);
    t.ok(name.isWellFormed());
    t.equal(name.slice(-4), long.slice(-4));
  }
});
