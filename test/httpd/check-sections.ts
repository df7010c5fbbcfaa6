import t from "tap";
import { checkSections } from "../../src/httpd/check-sections.ts";
import { MergedConfig } from "../../src/httpd/merged-config.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

const sidecar = {
  file: "/srv/mod-ts.config.ts",
  run: "/run/mod-ts",
  pools: { main: "/run/mod-ts/main.sock" },
  authorizer: 9700,
  handlerTimeout: 60_000,
  handlers: [],
};

t.test("all rules, one finding for each line", async (t) => {
  const guards = "  Use TsAuthenHandler a.ts\n  Use TsAuthenHandler b.ts";
  const site = `<Location "/m">\n${guards}\n  Require all granted\n</Location>
Use TsDebug On
<VirtualHost *:80>
  ServerName a.test
</VirtualHost>
<VirtualHost *:81>
  ServerName b.test
</VirtualHost>`;
  t.same(
    summaries(checkSections(mergedConfig(site), { ...sidecar, authorizer: 1 })),
    [
      "guard-open /etc/site.conf:4",
      "debug-on /etc/site.conf:6",
      "authorizer-differs /etc/mod_ts.conf:5",
    ],
    "though it is wrong in three hosts",
  );
});

t.test("without mod_ts.conf there is nothing to check", async (t) => {
  t.same(checkSections(new MergedConfig("Use TsDebug On\n"), sidecar), []);
});
