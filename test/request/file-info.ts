import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import t from "tap";
import { FileInfo } from "../../src/request/file-info.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

t.test("a file", async (t) => {
  const folder = t.testdir({ "a.txt": "hello" });
  chmodSync(`${folder}/a.txt`, 0o640);
  const info = new FileInfo(`${folder}/a.txt`);
  t.equal(info.valid, true);
  t.equal(info.filetype, "regular");
  t.equal(info.fname, `${folder}/a.txt`);
  t.equal(info.name, "a.txt");
  t.equal(info.mode, 0o640);
  t.equal(info.size, 5);
  t.equal(info.nlink, 1);
  t.equal(info.user, process.getuid?.());
  t.equal(info.group, process.getgid?.());
  t.ok((info.inode ?? 0) > 0);
  t.equal(typeof info.device, "number");
  for (const time of [info.atime, info.mtime, info.ctime]) {
    t.ok(Math.abs((time ?? 0) - Date.now() / 1000) < 60, "seconds");
  }
});

t.test("kinds", async (t) => {
  const folder = shortFolder(t, { file: "" });
  mkdirSync(`${folder}/dir`);
  symlinkSync("file", `${folder}/link`);
  const server = createServer().listen(`${folder}/socket`);
  await once(server, "listening");
  t.teardown(() => server.close());
  t.equal(new FileInfo(`${folder}/dir`).filetype, "directory");
  t.equal(new FileInfo(`${folder}/link`).filetype, "regular", "links are followed");
  t.equal(new FileInfo(`${folder}/socket`).filetype, "socket");
  t.equal(new FileInfo("/dev/null").filetype, "character");
});

t.test("no file", async (t) => {
  for (const path of ["/no/such/file", "", "/etc/passwd/x", "nul\0byte"]) {
    const info = new FileInfo(path);
    t.equal(info.valid, false, JSON.stringify(path));
    t.equal(info.filetype, "none");
    const { mode, user, group, size, inode, device, nlink, atime, mtime, ctime } = info;
    for (const value of [mode, user, group, size, inode, device, nlink, atime, mtime, ctime]) {
      t.equal(value, null);
    }
  }
});
