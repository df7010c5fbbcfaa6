import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { installConf } from "../../src/httpd/install.ts";
import { requireHttpd } from "../fixtures/httpd.ts";

t.test("a file of one's own is never overwritten", async (t) => {
  const folder = t.testdir({});
  const httpd = {
    ...(await requireHttpd()),
    layout: "confd" as const,
    confFolder: join(folder, "conf.d"),
  };
  const missing: string[] = [];
  const file = join(folder, "conf.d/mod_ts.conf");
  t.match(installConf(httpd, { text: "one\n", missing }), { file, verb: "wrote" });
  t.equal(statSync(file).mode & 0o777, 0o644);
  t.match(installConf(httpd, { text: "one\n", missing }), { verb: "kept" });
  t.throws(() => installConf(httpd, { text: "two\n", missing }), { code: "MODTS_CONF_CHANGED" });
  t.equal(readFileSync(file, "utf8"), "one\n");
  t.match(installConf(httpd, { text: "two\n", missing, force: true }), { verb: "wrote" });
  t.equal(readFileSync(file, "utf8"), "two\n");
});

t.test(
  "a file with a secret is for its owner alone, even where one for all was before",
  async (t) => {
    const folder = t.testdir({ "mod_ts.conf": "old" });
    const httpd = { ...(await requireHttpd()), layout: "confd" as const, confFolder: folder };
    installConf(httpd, { text: "Define MOD_TS_SECRET x\n", missing: [], force: true });
    t.equal(statSync(join(folder, "mod_ts.conf")).mode & 0o777, 0o600);
  },
);

t.test("what is left to do in httpd.conf", async (t) => {
  const folder = t.testdir({});
  const httpd = {
    ...(await requireHttpd()),
    layout: "source" as const,
    binary: "/opt/bin/httpd",
    configFile: "/opt/conf/httpd.conf",
    confFolder: join(folder, "extra"),
  };
  const { done, todo } = installConf(httpd, { text: "x", missing: ["mod_macro"] });
  t.strictSame(done, []);
  t.match(todo, [
    /LoadModule macro_module/,
    `at the end of /opt/conf/httpd.conf:\nInclude "${folder}/extra/mod_ts.conf"`,
    "/opt/bin/httpd -t && /opt/bin/apachectl graceful",
  ]);
});
