import t from "tap";
import { checkSettings } from "../../src/httpd/setting-rules.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

const guard = '<Location "/m">\n  Use TsAuthenHandler a.ts\n  Require valid-user\n</Location>';
const check = (site: string): string[] => summaries(checkSettings(mergedConfig(site)));

t.test("directives that weaken handlers and guards", async (t) => {
  for (const [name, site, ...expected] of [
    ["debugging", "Use TsDebug On", "debug-on /etc/site.conf:1"],
    ["no debugging", "Use TsDebug Off"],
    ["// with guards", `MergeSlashes Off\n${guard}`, "merge-slashes /etc/site.conf:1"],
    ["// without guards", "MergeSlashes Off"],
    [
      "a proxy to the sidecar",
      'ProxyPass "/x" "unix:/run/mod-ts/main.sock|http://x/"',
      "proxy-to-sidecar /etc/site.conf:1",
    ],
    ["a proxy elsewhere", 'ProxyPass "/x" "http://b/"'],
    [
      "the host of the pool",
      '<Location "/a">\n  Use TsHandler a.ts\n  ProxyPreserveHost Off\n</Location>',
      "preserve-host /etc/site.conf:3",
    ],
    ["the host without a handler", '<Location "/a">\n  ProxyPreserveHost Off\n</Location>'],
    [
      "another handler behind it",
      '<Location "/a">\n  Use TsHandler a.ts\n  SetHandler server-status\n</Location>',
      "handler-replaced /etc/site.conf:3",
    ],
    [
      "another handler in a later section",
      '<Location "/a">\n  Use TsHandler a.ts\n</Location>\n<Location "/a">\n  SetHandler None\n</Location>',
      "handler-replaced /etc/site.conf:5",
    ],
    [
      "another handler before it",
      '<Location "/a">\n  SetHandler None\n  Use TsHandler a.ts\n</Location>',
    ],
    [
      "another handler below it",
      '<Location "/a">\n  Use TsHandler a.ts\n</Location>\n<Location "/a/b">\n  SetHandler None\n</Location>',
    ],
    [
      "another handler, where ours comes first",
      '<Location "/a">\n  Use TsHandler a.ts\n  Use TsFixupHandler b.ts\n  SetHandler None\n</Location>',
    ],
    [
      "a directory that is denied",
      '<Directory "/">\n  Require all denied\n</Directory>\n<Directory "/srv/a">\n  Use TsHandler a.ts\n</Directory>',
      "handler-denied /etc/site.conf:5",
    ],
    [
      "a directory that is granted",
      '<Directory "/">\n  Require all denied\n</Directory>\n<Directory "/srv/a">\n  Use TsHandler a.ts\n  Require all granted\n</Directory>',
    ],
  ] as const) {
    t.same(check(site), expected, name);
  }
});
