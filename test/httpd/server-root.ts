import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import {
  defaultModules,
  mediaTypes,
  unprivilegedUser,
  writeServerRoot,
} from "../../src/httpd/server-root.ts";
import { requireHttpd } from "../fixtures/httpd.ts";

const base = { host: "::1", port: 81, modules: undefined, conf: "# own", user: undefined };

t.test("a complete directory", async (t) => {
  const directory = t.testdir({});
  const httpd = await requireHttpd();
  writeServerRoot({ ...base, directory, httpd, user: { name: "www-data", uid: 33, gid: 34 } });
  const conf = readFileSync(join(directory, "httpd.conf"), "utf8");
  t.match(conf, /^Listen \[::1\]:81$/m);
  t.match(conf, /^User www-data\nGroup "#34"$/m);
  t.match(conf, /# own\n$/);
  t.equal(statSync(join(directory, "httpd.conf")).mode & 0o777, 0o600, "it may hold a secret");
  const loaded = [...conf.matchAll(/^LoadModule (\w+)_module/gm)].map((match) => `mod_${match[1]}`);
  t.strictSame(loaded, loaded.toSorted(), "in the order of the alphabet");
  t.strictSame(defaultModules, defaultModules.toSorted());
  t.notOk(loaded.some((name) => httpd.compiledIn.includes(name)));
});

t.test("modules that are compiled in, or missing", async (t) => {
  const directory = t.testdir({});
  const httpd = { ...(await requireHttpd()), compiledIn: ["core", "event", "mod_headers"] };
  writeServerRoot({ ...base, directory, httpd, modules: ["mod_headers", "mod_mpm_event"] });
  t.notMatch(readFileSync(join(directory, "httpd.conf"), "utf8"), /LoadModule/);
  const modules = ["mod_nonsense"];
  t.throws(() => writeServerRoot({ ...base, directory, httpd, modules }), {
    code: "MODTS_HTTPD_MODULE",
  });
});

t.test("the user that httpd usually is", async (t) => {
  const passwd = [
    "root:x:0:0:root:/root:/bin/sh",
    "nobody:x:65534:65533:nobody:/:/sbin/nologin",
    "apache:x:48:49::/:/sbin/nologin",
    "",
  ].join("\n");
  t.strictSame(unprivilegedUser(passwd), { name: "apache", uid: 48, gid: 49 });
  t.equal(unprivilegedUser("root:x:0:0:root:/root:/bin/sh\n"), undefined);
  t.ok(unprivilegedUser()?.uid, "this machine has one");
});

t.test("each line is a type and its endings, and no ending has two types", async (t) => {
  const endings = mediaTypes
    .trimEnd()
    .split("\n")
    .flatMap((line) => {
      t.match(line, /^[a-z]+\/[\w.+-]+( \w+)+$/);
      return line.split(" ").slice(1);
    });
  t.equal(new Set(endings).size, endings.length);
  t.match(
    mediaTypes,
    /^video\/mp2t ts\b/m,
    "as on a stock httpd, where sources would be served as video",
  );
});
