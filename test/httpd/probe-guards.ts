import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import t from "tap";
import { probeGuards } from "../../src/httpd/probe-guards.ts";
import { mergedConfig } from "../fixtures/merged-config.ts";

const members = (handler: string, name = "/members"): string =>
  `<Location "${name}">\n  Use TsAuthenHandler ${handler}\n  Require valid-user\n</Location>`;

const asked: string[] = [];
let status = 401;
const server = createServer((req, res) => {
  asked.push(`${req.method} ${req.url}`);
  res.writeHead(status).end();
}).listen(0, "127.0.0.1");
await once(server, "listening");
t.teardown(() => server.close());
const { port } = server.address() as AddressInfo;
const url = `http://127.0.0.1:${port}/`;
t.beforeEach(() => void asked.splice(0));

const probe = (site: string) => probeGuards(url, mergedConfig(site));

t.test("what a client without credentials gets", async (t) => {
  for (const [code, handler, expected] of [
    [401, "users.ts", { level: "ok" }],
    [403, "users.ts", { level: "ok" }],
    [302, "mod_ts/login", { level: "ok" }],
    [500, "users.ts", { rule: "guard-failed", what: /status 500/ }],
    [200, "users.ts", { rule: "guard-anonymous" }],
    [200, "mod_ts/sql", { rule: "guard-passed" }],
    [404, "mod_ts/htpasswd", { rule: "guard-passed" }],
  ] as const) {
    status = code;
    t.match(await probe(members(handler)), [expected], `${handler}: ${code}`);
  }
  t.same([...new Set(asked)], ["HEAD /members"], "nothing is read");
});

t.test("only where a guard is certainly asked", async (t) => {
  status = 401;
  const method = "  <Limit GET>\n    Require all granted\n  </Limit>\n</Location>";
  for (const site of [
    members("a.ts").replace("valid-user", "ip 10.0.0.1"),
    members("a.ts").replace("</Location>", method),
    '<Location "/x">\n  Use TsHandler a.ts\n</Location>',
  ]) {
    t.same(await probe(site), [], site);
  }
  t.same(asked, [], "nobody was asked");
});

t.test("the virtual host is chosen as httpd does", async (t) => {
  const host = (ports: string, name: string, path: string): string =>
    `<VirtualHost ${ports}>\n  ServerName ${name}\n  ${members("a.ts", path).replaceAll("\n", "\n  ")}\n</VirtualHost>`;
  await probe(
    [host("*:1", "127.0.0.1", "/port"), host(`*:${port}`, "b.test", "/first")].join("\n"),
  );
  t.same(asked.splice(0), ["HEAD /first"], "by port, else the first");
  await probe([host("*", "b.test", "/first"), host("*:*", "127.0.0.1:80", "/name")].join("\n"));
  t.same(asked, ["HEAD /name"], "by name");
});

t.test("a server that is down has no findings", async (t) => {
  t.same(await probeGuards("http://127.0.0.1:1/", mergedConfig(members("a.ts"))), []);
});
