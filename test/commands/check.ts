import t from "tap";
import { type Apache, startEcho } from "../fixtures/httpd.ts";
import { modTs, type Result } from "../fixtures/mod-ts.ts";

const check = (folder: string, apache: Apache): Promise<Result> =>
  modTs("check", folder, "--url", apache.url, "--config", `${apache.folder}/httpd.conf`);

t.test("all is well", async (t) => {
  const apache = await startEcho(t, { conf: "" });
  const { code, stdout } = await check(t.testdir({}), apache);
  t.match(stdout, /ok +httpd -t/);
  t.match(stdout, /ok +our headers, sent by a client, are removed/);
  t.match(stdout, /ok +sources of handlers are refused/);
  t.match(stdout, /\nAll is well\.\n$/);
  t.equal(code, 0);
});

t.test("something is bad", async (t) => {
  const apache = await startEcho(t, { conf: "TraceEnable on" });
  const { code, stdout } = await check(t.testdir({}), apache);
  t.match(stdout, /bad +TraceEnable on.*\n +where: .*httpd\.conf:\d+\n +to do: TraceEnable off/);
  t.match(stdout, /bad +TRACE is answered/);
  t.match(stdout, /\n2 to put right\.\n$/);
  t.equal(code, 1);
});

t.test("no httpd, and a bad address", async (t) => {
  const { code, stdout } = await modTs("check", t.testdir({}), "--httpd", "/bin/true");
  t.match(stdout, /bad +no Apache httpd found/);
  t.equal(code, 1);
  t.equal((await modTs("check", "--url", "localhost")).code, 2);
});
