import { join } from "node:path";
import t from "tap";
import { formatDevConf } from "../../../src/cli/commands/dev-conf.ts";
import { resolveConfig } from "../../../src/config/config.ts";

t.test("what the private Apache is told", async (t) => {
  const folder = t.testdir({ htdocs: {}, "apache.conf": "" });
  const config = resolveConfig({ run: "/r", pools: { a: { workers: 1 } } }, join(folder, "x.json"));
  const text = formatDevConf(folder, config);
  t.match(text, /^Define MOD_TS_RUN \/r$/m);
  t.match(text, `Define MOD_TS_DIRECTORY "${folder}"`);
  t.match(text, /^Use TsPool a$/m);
  t.match(text, `DocumentRoot "${folder}/htdocs"`);
  t.match(text, `Include "${folder}/apache.conf"`);
  t.notMatch(formatDevConf(folder, config, { readable: false }), "DocumentRoot");
});

t.test("an apache.conf without a newline at its end", async (t) => {
  const own = '<FilesMatch "x$">\n  Use TsHandler a.ts\n</FilesMatch>';
  const folder = t.testdir({ "apache.conf": own });
  const text = formatDevConf(folder, resolveConfig({ run: "/r" }, join(folder, "x.json")));
  t.match(text, `${own}\n</VirtualHost>`);
});

t.test("without an apache.conf there is the test page", async (t) => {
  const folder = t.testdir({});
  const text = formatDevConf(folder, resolveConfig({ run: "/r" }, join(folder, "x.json")));
  t.match(text, /Use TsHandler mod_ts\/test-page/);
  t.match(text, `DocumentRoot "${folder}"`);
});

t.test("names of hosts are matched as text, subdomains after a dot", (t) => {
  const conf = formatDevConf(t.testdir({}), resolveConfig({}, "/x.json"), { hosts: ["a.b", ".c"] });
  const pattern = /!~ m#(.*)#i"/.exec(conf)?.[1] ?? "";
  const isAllowed = (host: string): boolean => new RegExp(pattern, "i").test(host);
  const allowed = "localhost x.localhost LOCALHOST:8080 127.0.0.1:80 [::1]:8080 a.b a.b. c x.y.c:1";
  for (const host of ["", ...allowed.split(" ")]) t.ok(isAllowed(host), host);
  const refused = "evil.com localhost.evil.com evillocalhost axb x.a.b xc c.evil 1.2.3.4.evil a:b";
  for (const host of refused.split(" ")) t.notOk(isAllowed(host), host);
  t.end();
});
