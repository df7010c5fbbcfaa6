import t from "tap";
import { checkPolicies } from "../../src/httpd/policy-rules.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

const guard = "  Use TsAuthenHandler mod_ts/sql\n  Require valid-user";
const members = `<Directory "/srv/m">\n${guard}\n</Directory>`;
const check = (site: string) => checkPolicies(mergedConfig(`DocumentRoot "/srv"\n${site}`));

t.test("phases that never run", async (t) => {
  const location = (line: string, more = ""): string =>
    `<Location "/a">\n  ${line}\n${more}</Location>`;
  const handler = "  Use TsHandler a.ts\n";
  for (const [name, site, ...expected] of [
    ["fixup alone", location("Use TsFixupHandler a.ts"), "phase-never-runs /etc/site.conf:3"],
    ["log alone", location("Use TsLogHandler a.ts"), "phase-never-runs /etc/site.conf:3"],
    ["fixup with a handler", location("Use TsFixupHandler a.ts", handler)],
    ["fixup with a guard", `<Location "/a">\n  Use TsFixupHandler a.ts\n${guard}\n</Location>`],
    [
      "fixup with a decider",
      location("Use TsFixupHandler a.ts", "  ProxySCGIInternalRedirect x\n"),
    ],
    [
      "a log handler with a decider",
      location("Use TsLogHandler a.ts", "  ProxySCGIInternalRedirect x\n"),
      "phase-never-runs /etc/site.conf:3",
    ],
  ] as const) {
    t.same(summaries(check(site)), expected, name);
  }
});

t.test("passwords in options", async (t) => {
  const found = check("Use TsOption mod_ts.sql.database mysql://a:geheim@db/x");
  t.match(found, [{ rule: "option-password", where: "/etc/site.conf:2" }]);
  t.notMatch(found[0]?.what, "geheim", "the finding does not repeat it");
  t.same(check("Use TsOption mod_ts.sql.database secret:db"), []);
});

t.test("options of a guard that only a nested section sets", async (t) => {
  const nested = (option: string, ...more: string[]): string =>
    `<Directory "/srv/m">\n${guard}\n  <Files "*.pdf">\n    Use TsOption ${option} x\n${more.join("\n")}\n  </Files>\n</Directory>`;
  t.same(summaries(check(nested("mod_ts.sql.table"))), ["option-not-bound /etc/site.conf:6"]);
  t.same(check(nested("other.option")), [], "those of others are not the guard's");
  const [again = "", require = ""] = guard.split("\n").map((line) => `  ${line}`);
  t.match(
    summaries(check(nested("role", again, require))),
    ["option-not-bound /etc/site.conf:6"],
    "the same guard once more does not bind them",
  );
  t.same(summaries(check(nested("mod_ts.pages.x", again, require))), []);
  t.same(summaries(check(nested("role", "    Use TsAuthenHandler b.ts", require))), []);
});

t.test("a log of one sidecar is none of another", async (t) => {
  const site = (format: string, handlers: string): string =>
    `GlobalLog "x" ${format} "expr=x"\n<Location "/a">\n  Use TsLogHandler ${handlers}\n</Location>`;
  const missing = ["phase-never-runs /etc/site.conf:4"];
  t.same(check(site("mod_ts_access", "a.ts")), []);
  t.same(summaries(check(site("mod_ts_access_blog", "a.ts"))), missing);
  t.same(check(site("mod_ts_access_blog", "@blog a.ts")), []);
  t.same(summaries(check(site("mod_ts_access", "@blog a.ts"))), missing);
});

t.test("authors of .htaccess below a guard", async (t) => {
  const override = (value: string): string =>
    `<Directory "/srv">\n  AllowOverride ${value}\n</Directory>\n${members}`;
  t.match(check(override("All")), [{ rule: "htaccess-below-guard", what: /can undo the guard/ }]);
  t.match(check(override("FileInfo")), [{ what: /can change the guard/ }]);
  for (const value of ["None", "Indexes Limit"]) t.same(check(override(value)), [], value);
});
