import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { findHttpd, hasModule, inspectHttpd, modulePath } from "../../src/httpd/find.ts";
import { requireHttpd } from "../fixtures/httpd.ts";

/** A program that answers as httpd does. */
function fake(folder: string, root: string, file: string): string {
  return `#!/bin/sh
case $1 in
-V) cat <<END
Server version: Apache/2.4.99 (Unix)
 -D HTTPD_ROOT="${join(folder, root)}"
 -D SERVER_CONFIG_FILE="${file}"
END
exit 1 ;;
-l) printf 'Compiled in modules:\\n  core.c\\n  mod_so.c\\n' ;;
esac
`;
}

t.test("the httpd of this machine, with or without a PATH", async (t) => {
  const httpd = await requireHttpd();
  t.match(httpd.version, /^2\.4\.\d+$/);
  t.ok(hasModule(httpd, "mod_proxy_http"));
  t.notOk(hasModule(httpd, "mod_nonsense"));
  t.strictSame(await findHttpd(httpd.binary, ""), httpd);
  const found = await findHttpd(undefined, "/nowhere");
  t.equal(found?.version, httpd.version);
});

t.test("what is no httpd", async (t) => {
  t.equal(await inspectHttpd("/bin/true"), undefined);
  t.equal(await inspectHttpd("/no/such/file"), undefined);
  t.equal(await findHttpd("/bin/true"), undefined);
});

t.test("layouts", async (t) => {
  const folder = t.testdir({
    debian: { "conf-available": {} },
    redhat: { conf: {}, "conf.d": {}, modules: { "mod_so.so": "" } },
    alpine: { etc: { "conf.d": {} } },
    source: { conf: {}, modules: { "mod_headers.so": "" } },
    bin: {},
  });
  const cases = [
    ["debian", "apache2.conf", "debian", "debian/conf-available"],
    ["redhat", "conf/httpd.conf", "confd", "redhat/conf.d"],
    ["alpine", join(folder, "alpine/etc/httpd.conf"), "confd", "alpine/etc/conf.d"],
    ["source", "conf/httpd.conf", "source", "source/conf/extra"],
  ] as const;
  for (const [root, file, layout, confDirectory] of cases) {
    const path = t.testdirName;
    const binary = join(path, `bin/httpd-${root}`);
    const { writeFileSync } = await import("node:fs");
    writeFileSync(binary, fake(folder, root, file));
    chmodSync(binary, 0o755);
    const httpd = await inspectHttpd(binary);
    t.match(httpd, {
      version: "2.4.99",
      layout,
      confDirectory: join(folder, confDirectory),
      compiledIn: ["core", "mod_so"],
    });
    if (root === "source" && httpd) {
      t.equal(modulePath(httpd, "mod_headers"), join(folder, "source/modules/mod_headers.so"));
      t.ok(hasModule(httpd, "mod_headers"));
    }
  }
});
