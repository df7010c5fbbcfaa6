import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { modTs } from "../../fixtures/mod-ts.ts";

t.test("writes what is not there", async (t) => {
  const folder = t.testdir({ "hello.ts": "mine" });
  const { code, stdout } = await modTs("init", folder);
  t.equal(code, 0);
  t.match(stdout, /^kept +\S+hello\.ts$/m);
  for (const name of [
    ".gitignore",
    ".vscode/launch.json",
    ".vscode/settings.json",
    "apache.conf",
    "mod-ts.config.ts",
    "package.json",
    "public/index.html",
    "tsconfig.json",
  ]) {
    t.match(stdout, new RegExp(`^wrote \\S+/${name}$`, "m"), `${name} is written`);
    t.ok(existsSync(join(folder, name)), `${name} is there`);
  }
  t.equal(readFileSync(join(folder, "hello.ts"), "utf8"), "mine");
  t.match(readFileSync(join(folder, "apache.conf"), "utf8"), /Use TsHandler hello\.ts/);
});

t.test("what it writes runs", async (t) => {
  const folder = join(t.testdir({}), "new");
  await modTs("init", folder);
  t.match(await modTs("run", "hello.ts", "--directory", folder), {
    code: 0,
    stdout: /^HTTP\/1\.1 200 OK\n[^]*\n\nHello from mod_ts!\n$/,
    stderr: "",
  });
});
