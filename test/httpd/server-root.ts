import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { defaultModules, writeServerRoot } from "../../src/httpd/server-root.ts";
import { requireHttpd } from "../fixtures/httpd.ts";

const base = { host: "::1", port: 81, modules: undefined, conf: "# own", user: undefined };

t.test("a complete folder", async (t) => {
  const folder = t.testdir({});
  const httpd = await requireHttpd();
  writeServerRoot({ ...base, folder, httpd, user: { name: "www-data", uid: 33, gid: 34 } });
  const conf = readFileSync(join(folder, "httpd.conf"), "utf8");
  t.match(conf, /^Listen \[::1\]:81$/m);
  t.match(conf, /^User www-data\nGroup "#34"$/m);
  t.match(conf, /# own\n$/);
  t.equal(statSync(join(folder, "httpd.conf")).mode & 0o777, 0o600, "it may hold a secret");
  const loaded = [...conf.matchAll(/^LoadModule (\w+)_module/gm)].map((match) => `mod_${match[1]}`);
  t.strictSame(loaded, loaded.toSorted(), "in the order of the alphabet");
  t.strictSame(defaultModules, defaultModules.toSorted());
  t.notOk(loaded.some((name) => httpd.compiledIn.includes(name)));
});

t.test("modules that are compiled in, or missing", async (t) => {
  const folder = t.testdir({});
  const httpd = { ...(await requireHttpd()), compiledIn: ["core", "event", "mod_headers"] };
  writeServerRoot({ ...base, folder, httpd, modules: ["mod_headers", "mod_mpm_event"] });
  t.notMatch(readFileSync(join(folder, "httpd.conf"), "utf8"), /LoadModule/);
  const modules = ["mod_nonsense"];
  t.throws(() => writeServerRoot({ ...base, folder, httpd, modules }), {
    code: "MODTS_HTTPD_MODULE",
  });
});
