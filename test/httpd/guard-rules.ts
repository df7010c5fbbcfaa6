import t from "tap";
import { checkGuards, directiveOf } from "../../src/httpd/guard-rules.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

const section = (...lines: string[]): string =>
  ['<Location "/m">', ...lines.map((line) => `  ${line}`), "</Location>"].join("\n");
const guarded = (...lines: string[]): string => section("Use TsAuthenHandler users.ts", ...lines);

t.test("guards that Apache does not ask, or that nobody passes", async (t) => {
  for (const [name, site, ...expected] of [
    ["a guard as it should be", guarded("Require valid-user")],
    ["no guard", section("Require all granted")],
    ["open", guarded("Require all granted"), "guard-open /etc/site.conf:3"],
    ["closed", guarded(), "guard-closed /etc/site.conf:2"],
    ["closed for all", guarded("Require all denied"), "guard-closed /etc/site.conf:2"],
    ["not asked", guarded("Require ip 10.0.0.1"), "guard-unasked /etc/site.conf:2"],
    [
      "opened by a later section",
      `${guarded("Require valid-user")}\n<Location "/">\n  Require all granted\n</Location>`,
      "guard-open /etc/site.conf:6",
    ],
    [
      "opened by an outer section",
      `<Directory />\n  Require all granted\n</Directory>\n${guarded("Require valid-user", "AuthMerging Or")}`,
      "guard-open /etc/site.conf:7",
    ],
    [
      "merged with a closed outer section",
      `<Directory />\n  Require all denied\n</Directory>\n${guarded("Require valid-user", "AuthMerging Or")}`,
    ],
    [
      "and with an open one, where both must agree",
      `<Directory />\n  Require all granted\n</Directory>\n${guarded("Require valid-user", "AuthMerging And")}`,
    ],
    [
      "open to every address",
      guarded("Require valid-user", "Satisfy any"),
      "guard-satisfy-any /etc/site.conf:4",
    ],
    ["restricted by address", guarded("Require valid-user", "Satisfy any", "Deny from all")],
    [
      "a part of it is open",
      `${guarded("Require valid-user")}\n<Location "/m/open">\n  Require all granted\n</Location>`,
      "guard-opened-below /etc/site.conf:6",
    ],
    [
      "the login page has to be open",
      `${guarded("Require valid-user")}\n<Location "/m/login">\n  Use TsHandler mod_ts/login\n  Require all granted\n</Location>`,
    ],
    [
      "a provider that Apache does not ask",
      section("Use TsAuthBasicProvider users.ts", "AuthType Basic", "Require valid-user"),
      "provider-unused /etc/site.conf:2",
    ],
    [
      "a provider that Apache asks",
      section(
        "Use TsAuthBasicProvider users.ts",
        "AuthType Basic",
        "AuthBasicProvider mod_ts",
        "Require valid-user",
      ),
    ],
    [
      "a provider without authentication",
      section("Use TsAuthBasicProvider a.ts", "AuthBasicProvider mod_ts", "Require valid-user"),
      "guard-no-authentication /etc/site.conf:2",
    ],
  ] as const) {
    t.same(summaries(checkGuards(mergedConfig(site))), expected, name);
  }
});

t.test("methods that a guard is not asked about", async (t) => {
  const closed = guarded("<LimitExcept OPTIONS>", "  Require valid-user", "</LimitExcept>");
  const [finding] = checkGuards(mergedConfig(closed));
  t.match(finding, { rule: "guard-limited", what: /OPTIONS is always 403/ });
  const open = guarded(
    "Use TsAuthBasicProvider b.ts",
    "Require valid-user",
    "<Limit GET>",
    "  Require all granted",
    "</Limit>",
  );
  t.match(
    checkGuards(mergedConfig(open)).filter(({ rule }) => rule === "guard-limited"),
    [{ what: /GET is open/ }],
  );
});

t.test("a line as the administrator wrote it", async (t) => {
  const line = { via: "policy", sidecar: "", macro: "", where: "", value: "a.ts" } as const;
  t.same(
    ["handler", "authen", "headerparser"].map((kind) => directiveOf({ ...line, kind })),
    ["TsHandler a.ts", "TsAuthenHandler a.ts", "TsHeaderParserHandler a.ts"],
  );
});
