/** A body that is taken at once and given when it is wanted. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import t from "tap";
import { BodySpool } from "../../../src/handlers/cgi/body-spool.ts";
import { scriptFolder } from "../../fixtures/script.ts";

const folder = join(scriptFolder(t), "tmp");
const blocks = Array.from({ length: 40 }, (_, index) => Buffer.alloc(30_000, index));

t.test("a small one needs no file", async (t) => {
  const spool = new BodySpool(Readable.from([Buffer.from("ab"), Buffer.from("cd")]), folder);
  t.equal(String(await buffer(spool)), "abcd");
  await spool.close();
  t.throws(() => readdirSync(folder), { code: "ENOENT" });
});

t.test("a large one is taken whole before anybody reads, and comes in order", async (t) => {
  const source = Readable.from(blocks);
  const ended = new Promise((resolve) => source.once("end", resolve));
  const spool = new BodySpool(source, folder);
  await ended;
  t.same(readdirSync(folder), [], "its file has no name");
  t.ok((await buffer(spool)).equals(Buffer.concat(blocks)));
  await spool.close();
});

t.test("reader and writer at the same pace", async (t) => {
  const spool = new BodySpool(Readable.from(blocks), folder);
  t.ok((await buffer(spool)).equals(Buffer.concat(blocks)));
  await spool.close();
});

t.test("what is not read is forgotten", async (t) => {
  const source = new Readable({ read() {} });
  const spool = new BodySpool(source, folder);
  await spool.close();
  t.ok(source.destroyed);
  t.equal(String(await buffer(spool)), "");
});

t.test("a failure of the body is one of the reader", async (t) => {
  const source = new Readable({ read() {} });
  const spool = new BodySpool(source, folder);
  const read = buffer(spool);
  source.destroy(new Error("gone"));
  await t.rejects(read, { message: "gone" });
  t.match(spool.failure, { message: "gone" });
  await spool.close();
});

t.test("crumbs that nobody has read yet become one piece", async (t) => {
  const crumbCount = 20_000;
  const crumbs = Array.from({ length: crumbCount }, () => Buffer.from("x"));
  const source = Readable.from(crumbs);
  const ended = new Promise((resolve) => source.once("end", resolve));
  const spool = new BodySpool(source, folder);
  await ended;
  const lengths = [];
  for await (const { length } of spool) lengths.push(length);
  t.same(lengths, [crumbCount]);
  await spool.close();
});

t.test("a file that takes no more is a failure, and no part of a body is the whole", async (t) => {
  const code = `
    import { Readable } from "node:stream";
    import { buffer } from "node:stream/consumers";
    import { BodySpool } from ${JSON.stringify(new URL("../../../src/handlers/cgi/body-spool.ts", import.meta.url).href)};
    process.on("SIGXFSZ", () => {});
    const source = Readable.from([262144, 60000, 60000].map((size) => Buffer.alloc(size)));
    const spool = new BodySpool(source, process.argv[1]);
    await new Promise((resolve) => source.once("close", resolve));
    await buffer(spool).then(() => console.log("whole"), (error) => console.log(error.code));
  `;
  const run = 'ulimit -f 100; exec "$0" --input-type=module -e "$1" "$2"';
  const args = ["-c", run, process.execPath, code, folder];
  const { stdout } = await promisify(execFile)("/bin/bash", args, { timeout: 20_000 });
  t.equal(stdout, "EFBIG\n");
});
