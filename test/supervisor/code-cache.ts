import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { withCodeCache } from "../../src/supervisor/code-cache.ts";
import { createSupervisor } from "../../src/supervisor/supervisor.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

const variable = "NODE_COMPILE_CACHE";

t.test("a directory of our user only", async (t) => {
  const run = shortFolder(t);
  const environment = withCodeCache(run, { PATH: "/bin" });
  t.same(environment, { PATH: "/bin", [variable]: join(run, "code") });
  t.equal(statSync(join(run, "code")).mode & 0o777, 0o700);
});

t.test("what the administrator has set stays", async (t) => {
  const run = shortFolder(t);
  const environment = { [variable]: "/var/cache/code" };
  t.equal(withCodeCache(run, environment), environment);
  t.notOk(existsSync(join(run, "code")));
});

t.test("attack: a directory that others can write to, or a link to one", async (t) => {
  const open = shortFolder(t);
  mkdirSync(join(open, "code"));
  chmodSync(join(open, "code"), 0o777);
  t.same(withCodeCache(open, {}), {});
  const linked = shortFolder(t);
  symlinkSync(join(open, "code"), join(linked, "code"));
  t.same(withCodeCache(linked, {}), {});
  const replaceable = shortFolder(t);
  chmodSync(replaceable, 0o777);
  t.same(withCodeCache(replaceable, {}), {});
});

/** Prints what the program exports, with the cache of the directory. */
function output(folder: string): string {
  const environment = withCodeCache(folder, { PATH: process.env["PATH"] });
  return execFileSync(process.execPath, [join(folder, "main.mjs")], {
    env: environment,
    encoding: "utf8",
  });
}

function filesOf(test: Test, folder: string): string[] {
  const files = globSync(join(folder, "code/**")).filter((path) => statSync(path).isFile());
  test.not(files.length, 0, "code was kept");
  return files;
}

t.test("a text of the same name, length and time is another one", async (t) => {
  const folder = shortFolder(t, {
    "main.mjs": 'import { name } from "./name.mjs"; process.stdout.write(name());',
    "name.mjs": 'export const name = () => "old";',
  });
  t.equal(output(folder), "old");
  t.equal(output(folder), "old");
  filesOf(t, folder);
  writeFileSync(join(folder, "name.mjs"), 'export const name = () => "new";');
  t.equal(output(folder), "new");
  t.equal(output(folder), "new");
});

t.test("damaged files are not used", async (t) => {
  const folder = shortFolder(t, {
    "main.mjs": 'import { name } from "./name.mjs"; process.stdout.write(name());',
    "name.mjs": 'export const name = () => "good";',
  });
  t.equal(output(folder), "good");
  const damages: ((bytes: Buffer) => Buffer)[] = [
    (bytes) => bytes.subarray(0, bytes.length / 2),
    () => Buffer.alloc(0),
    () => Buffer.from("no code at all"),
    (bytes) => Buffer.concat([bytes.subarray(0, 64), bytes.subarray(64).map((byte) => ~byte)]),
    (bytes) => bytes.fill(0, 0, 16),
  ];
  for (const damage of damages) {
    for (const file of filesOf(t, folder)) writeFileSync(file, damage(readFileSync(file)));
    t.equal(output(folder), "good");
  }
});

t.test("workers are told", async (t) => {
  const before = process.env[variable];
  delete process.env[variable];
  t.teardown(() => {
    if (before !== undefined) process.env[variable] = before;
  });
  const folder = shortFolder(t);
  const supervisor = createSupervisor({
    run: folder,
    directory: folder,
    pools: { main: { workers: 1 } },
    listeners: [],
    config: "good",
    program: new URL("../fixtures/workers/good.ts", import.meta.url),
  });
  await supervisor.start();
  await supervisor.ready;
  const [pid = 0] = supervisor.pids("main");
  const told = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  await supervisor.stop();
  t.ok(told.includes(`${variable}=${join(folder, "code")}`));
  t.equal(process.env[variable], undefined, "this process is as before");
});
