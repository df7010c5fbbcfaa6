/** What all workers share is in order, whole, bounded, and gone with the sidecar. */
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { subscribeLog } from "../fixtures/subscribe-log.ts";
import {
  prepareVersions,
  removeVersions,
  type VersionName,
  VersionStore,
} from "../../src/base/version-store.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

const name: VersionName = { kind: "module", file: "/srv/a.ts" };
const yes = (): boolean => true;
const no = (): boolean => false;

function prepared(t: Test): string {
  const run = shortFolder(t);
  prepareVersions(run);
  return run;
}

function logOf(t: Test): () => string {
  let text = "";
  t.teardown(subscribeLog("info", (line) => (text += line)));
  return () => text;
}

t.test("a version of one worker is found by all others, with the same content", async (t) => {
  const run = prepared(t);
  const [one, other] = [new VersionStore(run, "main"), new VersionStore(run, "guards")];
  t.equal(other.number(name), 0);
  t.equal(other.read(name), undefined);
  one.record(name, "v1", () => "content", 0, no);
  t.equal(other.number(name), 1);
  t.match(other.read(name), { head: { id: "v1", file: name.file, number: 1 }, content: "content" });
  t.equal(other.read({ ...name, kind: "script" }), undefined, "kinds are apart");
  t.equal(statSync(join(run, "versions")).mode & 0o777, 0o700);
  const [folder = ""] = readdirSync(join(run, "versions"));
  t.equal(statSync(join(run, "versions", folder, "1")).mode & 0o777, 0o600);
});

t.test("the same version is written once, and knows the pools that use it", async (t) => {
  const run = prepared(t);
  const [one, other] = [new VersionStore(run, "main"), new VersionStore(run, "guards")];
  one.record(name, "v1", () => "content", 0, no);
  one.record(name, "v1", () => t.fail("is not composed again") as never, 1, no);
  t.same([one.list("module"), other.list("module")], [[name.file], []]);
  other.record(name, "v1", () => "other", 1, no);
  t.match(one.read(name), { head: { pools: ["main", "guards"] }, content: "content" });
  t.same([one.list("module"), other.list("module")], [[name.file], [name.file]]);
  t.same(one.list("script"), []);
});

t.test("a slow worker does not put an older version after a newer one", async (t) => {
  const store = new VersionStore(prepared(t), "main");
  store.record(name, "new", () => "new", 0, no);
  store.record(name, "old", () => "old", 0, no);
  t.equal(store.read(name)?.content, "new", "its files have changed since");
  store.record(name, "newer", () => "newer", 0, yes);
  t.equal(store.read(name)?.content, "newer", "its files are those on disk");
  store.record(name, "late", () => "late", store.number(name), no);
  t.equal(store.read(name)?.content, "late", "nobody came in between: it was good");
});

t.test("two workers at the same time: both versions get a number", async (t) => {
  const run = prepared(t);
  const [one, other] = [new VersionStore(run, "main"), new VersionStore(run, "main")];
  let isFirst = true;
  const content = (): string => {
    if (isFirst) other.record(name, "between", () => "between", 0, yes);
    isFirst = false;
    return "one";
  };
  one.record(name, "one", content, 0, yes);
  t.match(one.read(name), { head: { number: 2 }, content: "one" });
  isFirst = true;
  one.record(name, "gone", content, 2, no);
  t.equal(one.read(name)?.content, "between", "the other one was first, and this one is older");
});

t.test("of a deleted file nothing is left but that it was deleted", async (t) => {
  const run = prepared(t);
  const store = new VersionStore(run, "main");
  store.record(name, "v1", () => "SECRET", 0, no);
  store.record(name, "v2", () => "SECRET", 1, no);
  store.bury(name, 2, yes);
  t.match(store.head(name), { id: "", number: 3 });
  t.same(store.list("module"), []);
  const [folder = ""] = readdirSync(join(run, "versions"));
  t.same(readdirSync(join(run, "versions", folder)), ["3"]);
  store.bury(name, 3, yes);
  t.equal(store.number(name), 3, "once is enough");
  store.record(name, "v1", () => "again", 3, no);
  t.equal(store.read(name)?.content, "again");
});

t.test("a version can grow while it is the newest", async (t) => {
  const store = new VersionStore(prepared(t), "main");
  store.record(name, "v1", () => "a", 0, no);
  store.extend(name, "v1", (before) => `${before}b`);
  t.match(store.read(name), { head: { id: "v1", number: 2 }, content: "ab" });
  store.extend(name, "v1", (before) => before);
  t.equal(store.number(name), 2, "nothing new is not written");
  store.record(name, "v2", () => "c", 2, no);
  store.extend(name, "v1", () => t.fail("is not the newest any more") as never);
  t.equal(store.read(name)?.content, "c");
});

t.test("a damaged version is as good as none", async (t) => {
  const run = prepared(t);
  const store = new VersionStore(run, "main");
  store.record(name, "v1", () => "content", 0, no);
  const [folder = ""] = readdirSync(join(run, "versions"));
  const path = join(run, "versions", folder, "1");
  for (const text of ["", "{}", "no JSON\ncontent", '{"digest":"0"}\ncontent']) {
    writeFileSync(path, text);
    t.equal(store.read(name), undefined, JSON.stringify(text));
  }
  store.record(name, "v1", () => "content", 1, no);
  t.equal(store.read(name)?.content, "content", "and is replaced");
});

t.test("disk space is bounded", async (t) => {
  const run = prepared(t);
  const store = new VersionStore(run, "main", { total: 100_000, single: 20_000 });
  for (let n = 0; n < 40; n += 1) {
    store.record({ ...name, file: `/${n}.ts` }, "v", () => "x".repeat(9000), 0, no);
  }
  const all = store.list("module");
  t.ok(all.length <= 13, `${all.length} are left`);
  t.ok(all.includes("/39.ts"), "the newest is");
  for (let n = 1; n < 20; n += 1) store.record(name, `v${n}`, () => "x", n - 1, yes);
  const sizes = readdirSync(join(run, "versions")).map(
    (folder) => readdirSync(join(run, "versions", folder)).length,
  );
  t.ok(Math.max(...sizes) <= 3, "of one file few are kept");
  const logged = logOf(t);
  store.record(name, "large", () => "x".repeat(20_001), 19, yes);
  t.equal(store.read(name), undefined, "an older version does not pass for the last good one");
  t.match(logged(), /\/srv\/a\.ts.*is not kept/);
});

t.test("without a supervisor there is no store, and none is made", async (t) => {
  const run = shortFolder(t);
  const store = new VersionStore(run, "main");
  store.record(name, "v1", () => "content", 0, no);
  t.equal(store.read(name), undefined);
  t.notOk(existsSync(join(run, "versions")));
  const late = new VersionStore(prepared(t), "main");
  t.equal(late.number(name), 0);
});

t.test(
  "a start begins without versions, and a stop leaves none, whoever still writes",
  async (t) => {
    const run = prepared(t);
    const store = new VersionStore(run, "main");
    store.record(name, "v1", () => "content", 0, no);
    prepareVersions(run);
    t.equal(store.read(name), undefined, "those of an earlier run");
    removeVersions(run);
    const logged = logOf(t);
    store.record(name, "v1", () => "content", 0, no);
    t.notOk(existsSync(join(run, "versions")));
    t.equal(logged(), "");
  },
);

t.test("a directory that others could write to or replace is not used", async (t) => {
  const logged = logOf(t);
  const run = shortFolder(t);
  mkdirSync(join(run, "versions"));
  chmodSync(join(run, "versions"), 0o777);
  const store = new VersionStore(run, "main");
  store.record(name, "v1", () => "content", 0, no);
  t.equal(store.read(name), undefined);
  t.match(logged(), /MODTS_VERSION_STORE.*writable for others/);
  chmodSync(run, 0o777);
  prepareVersions(run);
  t.match(logged(), /MODTS_VERSION_STORE.*replaceable by others/);
  const late = new VersionStore(run, "main");
  late.record(name, "v1", () => "content", 0, no);
  t.equal(late.read(name), undefined, "not by workers either");
});
