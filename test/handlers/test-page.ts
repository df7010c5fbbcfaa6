/** The test page: to whom it is shown, and that nothing in it is believed. */
import t from "tap";
import { createTestPage } from "../../src/handlers/test-page.ts";
import { type GatewayAsk, startEngine } from "../fixtures/gateway.ts";

const nasty = "<script>alert(1)</script>";

const page = createTestPage({
  version: "1.2.3",
  generation: 4,
  roots: ["/srv/a&b"],
  modules: () => [
    { file: `/srv/${nasty}.ts`, generation: 7, loadedAt: 0 },
    { file: "/srv/broken.ts", generation: 2, loadedAt: 0, failure: new Error(nasty) },
  ],
});
const peer = await startEngine(t, { "test-page": page });

const local = { remoteAddress: "127.0.0.1", connectionAddress: "127.0.0.1" };

function ask(lines: readonly string[] = [], details: GatewayAsk = {}) {
  return peer.ask(["handler test-page", ...lines], {
    ...details,
    context: { ...local, ...details.context },
  });
}

t.test("is shown to this machine", async (t) => {
  for (const remoteAddress of [
    "127.0.0.1",
    "127.8.9.10",
    "::1",
    "::ffff:127.0.0.1",
    "::FFFF:127.0.0.1",
  ]) {
    const reply = await ask([], { context: { remoteAddress } });
    t.match(reply, { status: 200, body: /It works/ }, remoteAddress);
    t.match(reply.headers, { "content-type": "text/html; charset=utf-8", "cache-control": /no-/ });
  }
});

t.test("and to nobody else", async (t) => {
  const others = ["192.0.2.7", "10.0.0.1", "::2", "1270.0.0.1", "127.evil.example", "", "fe80::1"];
  for (const remoteAddress of others) {
    const reply = await ask([], { context: { remoteAddress } });
    t.equal(reply.status, 403, remoteAddress);
    t.notMatch(reply.body, "It works", remoteAddress);
  }
  t.match(peer.log(), /mod_ts:notice.*shown to this machine alone/);
});

t.test("a visitor whom a proxy on this machine brings along is not of this machine", async (t) => {
  for (const name of ["X-Forwarded-For", "Forwarded", "Via"]) {
    t.equal((await ask([], { headers: { [name]: "for=192.0.2.7" } })).status, 403, name);
  }
});

t.test("the option shows it to everyone", async (t) => {
  const details = { context: { remoteAddress: "192.0.2.7" }, headers: { via: "x" } };
  t.equal((await ask(["option mod_ts.test_page everyone"], details)).status, 200);
  for (const value of ["Everyone", "on", "everyone else"]) {
    t.equal((await ask([`option mod_ts.test_page ${value}`], details)).status, 403, value);
  }
});

t.test("every value is escaped", async (t) => {
  const { body } = await ask([`option greeting ${nasty}`], {
    context: { args: nasty, requestLine: `GET /?${nasty} HTTP/1.1`, uri: nasty, user: nasty },
    headers: { "x-nasty": nasty },
  });
  t.notMatch(body, nasty);
  t.ok(body.split("&lt;script&gt;alert(1)").length > 6);
  t.match(body, "/srv/a&amp;b");
});

t.test("options and variables that look like secrets are hidden", async (t) => {
  const names = ["db_password", "API_KEY", "auth.token", "client_secret", "DSN", "passphrase"];
  const lines = names.map((name) => `option ${name} hush-hush`);
  const { body } = await ask([...lines, "option greeting hello"], {
    headers: { "Mod-Ts-Env": `DB_PASSWORD=${btoa("hush-hush")}` },
  });
  t.notMatch(body, "hush-hush");
  for (const name of [...names, "DB_PASSWORD"]) {
    t.match(body, `<th>${name}</th><td>(hidden)</td>`, name);
  }
  t.match(body, "<th>greeting</th><td>hello</td>");
});

t.test("says what runs here", async (t) => {
  const { body } = await ask();
  for (const part of [
    "1.2.3",
    process.version,
    "generation 4",
    `${process.pid}`,
    "#7, 1970-01-01",
  ]) {
    t.match(body, part);
  }
  t.match(body, "#2, 1970-01-01T00:00:00.000Z; the newest save does not load: &lt;script");
});
