/** Compiled files on disk: found again, refused when anybody else could have written them, never trusted when damaged. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { createCompileCache } from "../../src/loader/compile-cache.ts";
import { subscribeLog } from "../fixtures/subscribe-log.ts";

const compiled = { code: "export {};", map: undefined, columns: [] };
const stored = { code: "export {};", columns: [] };

function runFolder(t: Test): string {
  const folder = t.testdir({});
  chmodSync(folder, 0o755);
  return folder;
}

function logOf(t: Test): () => string {
  let text = "";
  t.teardown(subscribeLog("info", (line) => (text += line)));
  return () => text;
}

t.test(
  "what was kept is found, by another process too; any difference is another entry",
  async (t) => {
    const folder = join(runFolder(t), "cache");
    createCompileCache(folder, () => "1").set("/a.tsp", "text", compiled);
    t.same(createCompileCache(folder, () => "1").get("/a.tsp", "text"), stored);
    t.equal(statSync(folder).mode & 0o777, 0o700);
    const [name = ""] = readdirSync(folder);
    t.match(name, /^[0-9a-f]{64}$/);
    t.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    for (const [version, file, text] of [
      ["2", "/a.tsp", "text"],
      ["1", "/b.tsp", "text"],
      ["1", "/a.tsp", "texts"],
    ] as const) {
      t.equal(createCompileCache(folder, () => version).get(file, text), undefined);
    }
  },
);

t.test("an entry that is cut off, altered or no JSON is as good as none", async (t) => {
  const folder = join(runFolder(t), "cache");
  const cache = createCompileCache(folder, () => "1");
  cache.set("/a.tsp", "text", compiled);
  const path = join(folder, readdirSync(folder)[0] as string);
  const whole = readFileSync(path, "utf8");
  for (const text of ["", whole.slice(0, -3), whole.replace("export", "import"), "{}", "\n{}"]) {
    writeFileSync(path, text);
    t.equal(cache.get("/a.tsp", "text"), undefined, text);
  }
  cache.set("/a.tsp", "text", compiled);
  t.same(cache.get("/a.tsp", "text"), stored, "and is written anew");
});

t.test("a folder that others could have written to is not used, and the log says so", async (t) => {
  const run = runFolder(t);
  const cases: Record<string, (folder: string) => void> = {
    "writable for others": (folder) => {
      mkdirSync(folder);
      chmodSync(folder, 0o770);
    },
    "not a directory": (folder) => {
      mkdirSync(`${folder}-real`, { mode: 0o700 });
      symlinkSync(`${folder}-real`, folder);
    },
    ...(process.geteuid?.() === 0 && {
      "owned by another user": (folder: string) => {
        mkdirSync(folder, { mode: 0o700 });
        chownSync(folder, 65534, 65534);
      },
    }),
  };
  for (const [reason, make] of Object.entries(cases)) {
    const log = logOf(t);
    const folder = join(run, reason.replaceAll(" ", "-"));
    make(folder);
    const cache = createCompileCache(folder, () => "1");
    cache.set("/a.tsp", "text", compiled);
    t.equal(cache.get("/a.tsp", "text"), undefined, reason);
    t.same(readdirSync(folder), [], "nothing is written");
    t.match(log(), new RegExp(`mod_ts:warn.*MODTS_PAGE_CACHE.*${reason}`));
    t.equal(log().split("\n").length, 2, "once");
  }
  chmodSync(run, 0o777);
  const log = logOf(t);
  createCompileCache(join(run, "cache"), () => "1").set("/a.tsp", "text", compiled);
  t.match(log(), /replaceable by others/);
});

t.test("a folder of ours that others can read is closed", async (t) => {
  const folder = join(runFolder(t), "cache");
  mkdirSync(folder, { mode: 0o755 });
  createCompileCache(folder, () => "1").set("/a.tsp", "text", compiled);
  t.equal(statSync(folder).mode & 0o777, 0o700);
});

t.test("without a runtime folder there is no cache, and no word of it", async (t) => {
  const log = logOf(t);
  const cache = createCompileCache(join(runFolder(t), "none/cache"), () => t.fail() as never);
  cache.set("/a.tsp", "text", compiled);
  t.equal(cache.get("/a.tsp", "text"), undefined);
  t.equal(log(), "");
});

t.test(
  "the oldest entries go when there are too many; one that is too large is not kept",
  async (t) => {
    const folder = join(runFolder(t), "cache");
    const cache = createCompileCache(folder, () => "1", { entries: 8, size: 100 });
    for (let n = 0; n < 8; n += 1) {
      cache.set(`/${n}.tsp`, "text", compiled);
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        const time = statSync(path).mtimeMs / 1000;
        utimesSync(path, time - 10, time - 10);
      }
    }
    cache.set("/8.tsp", "text", compiled);
    t.equal(readdirSync(folder).length, 7);
    t.equal(cache.get("/0.tsp", "text"), undefined);
    t.same(cache.get("/8.tsp", "text"), stored);
    cache.set("/large.tsp", "text", { ...compiled, code: "x".repeat(100) });
    t.equal(cache.get("/large.tsp", "text"), undefined);
  },
);
