import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { modTs } from "../fixtures/mod-ts.ts";

t.test("writes what is not there", async (t) => {
  const folder = t.testdir({ "hello.ts": "mine" });
  const { code, stdout } = await modTs("init", folder);
  t.equal(code, 0);
  t.match(stdout, /kept +\S+hello\.ts\nwrote +\S+mod-ts\.config\.ts\nwrote +\S+apache\.conf/);
  t.equal(readFileSync(join(folder, "hello.ts"), "utf8"), "mine");
  t.match(readFileSync(join(folder, "apache.conf"), "utf8"), /Use TsHandler hello\.ts/);
});

t.test("what it writes runs", async (t) => {
  const folder = join(t.testdir({}), "new");
  await modTs("init", folder);
  t.match(await modTs("run", "hello.ts", "--folder", folder), {
    code: 0,
    stdout: /^HTTP\/1\.1 200 OK\n[^]*\n\nHello from mod_ts!\n$/,
    stderr: "",
  });
});
