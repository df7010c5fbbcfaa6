/** What needs no Apache; the way of a visitor is in test/apache/login.ts. */
import t from "tap";
import { Stores } from "../../../src/handlers/auth/credentials/stores.ts";
import { createLogin } from "../../../src/handlers/auth/login.ts";
import { startEngine } from "../../fixtures/gateway.ts";

const folder = t.testdir({ users: "john:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n" });
const peer = await startEngine(t, {
  login: createLogin(new Stores(folder), { run: "/none", directory: folder, state: folder }),
  page: { handler: () => 0 },
});
const options = [
  "option mod_ts.login.location /login",
  "option mod_ts.login.store htpasswd",
  "option mod_ts.htpasswd.file users",
];
const form = ["handler login", ...options];
const guarded = ["authen login", "handler page", ...options];

async function logIn(scheme: string): Promise<string> {
  const context = { scheme };
  const page = await peer.ask(form, { context });
  const cookie = page.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
  const token = /name="token" value="([^"]+)"/.exec(page.body)?.[1] ?? "";
  const reply = await peer.ask(form, {
    context: { ...context, method: "POST" },
    method: "POST",
    headers: { cookie, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ token, user: "john", password: "secret" }).toString(),
  });
  t.equal(reply.status, 303);
  return reply.headers["set-cookie"]?.[0] ?? "";
}

t.test(
  "over TLS the cookie is for TLS, and one from plain HTTP does not count there",
  async (t) => {
    const secure = await logIn("https");
    t.match(secure, /^__Host-mod_ts_session=.*; Secure;/);
    const plain = await logIn("http");
    t.notMatch(plain, /__Host-|Secure/);
    const ask = async (scheme: string, cookie: string): Promise<number> =>
      (
        await peer.ask(guarded, {
          context: { scheme },
          headers: { cookie: cookie.split(";")[0] ?? "" },
        })
      ).status;
    t.equal(await ask("https", secure), 200);
    t.equal(await ask("http", plain), 200);
    t.equal(await ask("https", plain), 302);
  },
);

t.test("the way back is what the visitor asked for, as it was written", async (t) => {
  for (const [target, location] of [
    ["/a%2Fb?x=%26&y", "/login?return=%2Fa%252Fb%3Fx%3D%2526%26y"],
    ["//evil.example/", "/login"],
    ["http://evil.example/", "/login"],
    ["*", "/login"],
  ]) {
    const reply = await peer.ask(guarded, { context: { requestLine: `GET ${target} HTTP/1.1` } });
    t.match(reply, { status: 302, headers: { location } }, `${target}`);
  }
});
