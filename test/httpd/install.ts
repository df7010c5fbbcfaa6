import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Httpd } from "../../src/httpd/find.ts";
import { installConf, siteFile, uninstallConf } from "../../src/httpd/install.ts";
import { requireHttpd } from "../fixtures/httpd.ts";

t.test("a file of one's own is never overwritten", async (t) => {
  const folder = t.testdir({});
  const httpd = {
    ...(await requireHttpd()),
    layout: "confd" as const,
    confDirectory: join(folder, "conf.d"),
  };
  const missing: string[] = [];
  const file = join(folder, "conf.d/mod_ts.conf");
  t.match(installConf(httpd, { text: "one\n", missing }).files, [{ file, verb: "wrote" }]);
  t.equal(statSync(file).mode & 0o777, 0o644);
  t.match(installConf(httpd, { text: "one\n", missing }).files, [{ verb: "kept" }]);
  t.throws(() => installConf(httpd, { text: "two\n", missing }), { code: "MODTS_CONF_CHANGED" });
  t.equal(readFileSync(file, "utf8"), "one\n");
  t.match(installConf(httpd, { text: "two\n", missing, force: true }).files, [{ verb: "wrote" }]);
  t.equal(readFileSync(file, "utf8"), "two\n");
});

t.test(
  "a file with a secret is for its owner alone, even where one for all was before",
  async (t) => {
    const folder = t.testdir({ "mod_ts.conf": "old" });
    const httpd = { ...(await requireHttpd()), layout: "confd" as const, confDirectory: folder };
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
    confDirectory: join(folder, "extra"),
  };
  const { done, todo } = installConf(httpd, { text: "x", missing: ["mod_macro"] });
  t.strictSame(done, []);
  t.match(todo, [
    /LoadModule macro_module/,
    `at the end of /opt/conf/httpd.conf:\nInclude "${folder}/extra/mod_ts.conf"`,
    "/opt/bin/httpd -t && /opt/bin/apachectl graceful",
  ]);
});

/** An httpd with a configuration of its own that reads every file of a directory. */
async function confdServer(folder: string): Promise<Httpd> {
  const httpd = await requireHttpd();
  const confDirectory = join(folder, "conf.d");
  mkdirSync(confDirectory);
  const configFile = join(folder, "httpd.conf");
  const modules = ["mpm_event", "authz_core", "macro"].map(
    (name) => `LoadModule ${name}_module ${httpd.moduleDirectory}/mod_${name}.so\n`,
  );
  const lines = [
    `ServerRoot "${folder}"\n`,
    "ServerName localhost\n",
    "ErrorLog /dev/null\n",
    ...modules,
    "IncludeOptional conf.d/*.conf\n",
  ];
  writeFileSync(configFile, lines.join(""));
  return { ...httpd, layout: "confd", confDirectory, configFile };
}

const macro = "<Macro TsHello>\n    Protocols http/1.1\n</Macro>\n";

t.test("apache.conf is copied once, outside of the handlers' directory", async (t) => {
  const folder = t.testdir({});
  const httpd = await confdServer(folder);
  const own = siteFile(httpd);
  t.equal(own, join(folder, "mod_ts/apache.conf"));
  const first = installConf(httpd, { text: macro, site: "Use TsHello\n", missing: [] });
  t.match(first.files, [{ verb: "wrote" }, { file: own, verb: "wrote" }]);
  const conf = readFileSync(join(folder, "conf.d/mod_ts.conf"), "utf8");
  t.match(conf, `Include "${own}"`, "httpd includes the copy");
  writeFileSync(own, "Use TsHello\n# edited\n");
  const second = installConf(httpd, { text: macro, site: "# newer\n", missing: [] });
  t.match(second.files, [{ verb: "kept" }, { file: own, verb: "kept" }]);
  t.match(readFileSync(own, "utf8"), "# edited", "the administrator's copy is never overwritten");
  t.match(second.todo.join("\n"), `compare ${own}`, "a difference is a remaining step");
  installConf(httpd, { text: macro, missing: [] });
  t.match(readFileSync(join(folder, "conf.d/mod_ts.conf"), "utf8"), "Include", "it stays included");
});

t.test("an installation is removed, unless another file needs it", async (t) => {
  const folder = t.testdir({});
  const httpd = await confdServer(folder);
  const file = join(folder, "conf.d/mod_ts.conf");
  const site = "Use TsHello\n";
  installConf(httpd, { text: macro, site, missing: [] });
  const user = join(folder, "conf.d/z.conf");
  writeFileSync(user, "Use TsHello\n");
  await t.rejects(uninstallConf(httpd, site), {
    code: "MODTS_CONF_IN_USE",
    message: /no macro defined/,
  });
  t.ok(existsSync(file), "a file in use is put back");
  writeFileSync(user, "");
  t.match((await uninstallConf(httpd, site)).files, [
    { file, verb: "removed" },
    { file: siteFile(httpd), verb: "removed" },
  ]);
  t.notOk(existsSync(join(folder, "mod_ts")), "nothing is left");
  t.match((await uninstallConf(httpd)).files, [], "a second time there is nothing to remove");

  installConf(httpd, { text: macro, site, missing: [] });
  writeFileSync(siteFile(httpd), "# edited\n");
  t.match((await uninstallConf(httpd, site)).files, [{ verb: "removed" }, { verb: "kept" }]);
  t.equal(readFileSync(siteFile(httpd), "utf8"), "# edited\n", "an edited copy is not lost");
});

t.test("a further sidecar has files of its own, read after mod_ts.conf", async (t) => {
  const folder = t.testdir({});
  const httpd = await confdServer(folder);
  const text = "Use TsAddSidecar blog /run/mod-ts-blog 0123456789abcdef\n";
  const site = "<Location /x>\n    Use TsHandler x.ts\n</Location>\n";
  const own = siteFile(httpd, "blog");
  const { files, todo } = installConf(httpd, { name: "blog", text, site, missing: [] });
  const names = [join(folder, "conf.d/mod_ts.conf"), join(folder, "conf.d/mod_ts_blog.conf"), own];
  t.same(
    files,
    names.map((file) => ({ file, verb: "wrote" })),
    "mod_ts.conf, too: it has the macros",
  );
  t.same(names.toSorted(), names, "httpd reads them in this order");
  t.equal(statSync(names[1] ?? "").mode & 0o777, 0o600, "the file with the secret");
  t.match(todo.join("\n"), `Use TsSidecar blog "${own}"`);
  const calling = `${text}Use TsAddCallbacks blog ${"0".repeat(32)}\n`;
  const more = installConf(httpd, { name: "blog", text: calling, site, missing: [], force: true });
  t.match(more.todo.join("\n"), `Use TsSidecarHost blog "${own}"`);
  installConf(httpd, { name: "blog", text, site, missing: [], force: true });
  const again = installConf(httpd, { name: "blog", text, site, missing: [] });
  t.strictSame(
    again.files.map(({ verb }) => verb),
    ["kept", "kept", "kept"],
  );
  rmSync(names[0] ?? "");
  t.match((await uninstallConf(httpd, site, "blog")).files, [
    { file: names[1], verb: "removed" },
    { file: own, verb: "removed" },
  ]);
});
