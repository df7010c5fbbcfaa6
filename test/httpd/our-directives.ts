import t from "tap";
import { parseConfigTree } from "../../src/httpd/config-tree.ts";
import {
  describePlace,
  findConfFile,
  isAsking,
  isOurs,
  readAddresses,
  readOurs,
} from "../../src/httpd/our-directives.ts";
import { dumpOf } from "../fixtures/merged-config.ts";

const conf = "/etc/mod_ts.conf";
const read = (site: string) => readOurs(parseConfigTree(dumpOf(site)), conf);

t.test("mod_ts.conf is known by what only it contains", async (t) => {
  t.equal(findConfFile(parseConfigTree(dumpOf(""))), conf);
  t.equal(findConfFile(parseConfigTree("RequestHeader unset Mod-Ts-Context\n")), undefined);
});

t.test(
  "uses of macros are lines for the sidecar, where the administrator wrote them",
  async (t) => {
    t.match(read("Use TsHandler hello.ts\nUse TsAuthenHandler users.ts"), [
      { kind: "handler", value: "hello.ts", via: "content", where: "/etc/site.conf:1" },
      { kind: "ask", value: "", via: "policy", where: "/etc/site.conf:2" },
      { kind: "authen", value: "users.ts", via: "policy", where: "/etc/site.conf:2" },
    ]);
    const [ask, authen] = read("Use TsAuthenHandler users.ts");
    t.ok(ask && isAsking(ask), "the sidecar is asked in place of Apache's own authentication");
    t.notOk(authen && isAsking(authen), "the handler itself does not say so");
  },
);

t.test("quoted values, and percent signs of mod_headers", async (t) => {
  const [option] = read(String.raw`SetEnvIf Request_URI "/" "MOD_TS_LINE=option a \"b\" \\c"`);
  t.equal(option?.value, String.raw`a "b" \c`);
  const [header] = read(String.raw`RequestHeader append Mod-Ts-Config "\thandler 100%%.ts"`);
  t.equal(header?.value, "100%.ts");
});

t.test("other directives of the same modules are none of ours", async (t) => {
  for (const line of [
    "RequestHeader set Mod-Ts-Config x",
    "RequestHeader append X-Other x",
    'SetEnvIfExpr "x" "OTHER=1"',
  ]) {
    t.same(read(line), [], line);
  }
});

t.test("a macro of the administrator's own is named", async (t) => {
  const use = `macro 'members' (defined on line 5 of "/etc/site.conf") used on line 9 of "/etc/site.conf"`;
  const [directive] = parseConfigTree(`# In file: ${use}\n# 1:\nRequire valid-user\n`);
  t.equal(
    directive && describePlace(directive, conf),
    "/etc/site.conf:6 (macro members, used at /etc/site.conf:9)",
  );
  t.notOk(directive && isOurs(directive, conf), "it is not one of ours");
});

t.test("where Apache connects to", async (t) => {
  const site = `<Proxy "unix:/run/mod-ts/reports.sock|http://reports.mod-ts">\n  ProxySet ttl=1\n</Proxy>`;
  t.match(readAddresses(parseConfigTree(dumpOf(site)), conf), {
    pools: [
      { name: "main", address: "unix:/run/mod-ts/main.sock", timeout: 90 },
      { name: "reports", address: "unix:/run/mod-ts/reports.sock", timeout: undefined },
    ],
    authorizer: { address: "127.0.0.1:9700", where: "/etc/mod_ts.conf:5" },
  });
  t.same(readAddresses([], conf), { pools: [], authorizer: undefined });
});
