/** What needs no Apache; the way of a visitor is in test/apache/login.ts. */
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { prepareTickets, TicketStore } from "../../../src/base/ticket-store.ts";
import { Stores } from "../../../src/handlers/auth/credentials/stores.ts";
import { createLogin } from "../../../src/handlers/auth/login.ts";
import { startEngine } from "../../fixtures/gateway.ts";
import { startRedis } from "../../fixtures/redis.ts";

const folder = t.testdir({
  users: "john:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n",
  key: "k".repeat(32),
  machines: { one: {}, two: {} },
  // In the way, as a full disk would be.
  full: { "ended-sessions": "" },
});
chmodSync(join(folder, "key"), 0o600);
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

const users = { user: "john", password: "secret" };

/** The form as a browser with this cookie sends it. */
async function send(
  directives: readonly string[],
  fields: Record<string, string>,
  { scheme = "http", cookie = "", at = peer, status = 303 } = {},
): Promise<string> {
  const page = await at.ask(directives, { context: { scheme }, headers: { cookie } });
  const own = cookie || (page.headers["set-cookie"]?.[0]?.split(";")[0] ?? "");
  const token = /name="token" value="([^"]+)"/.exec(page.body)?.[1] ?? "";
  const reply = await at.ask(directives, {
    context: { scheme, method: "POST" },
    method: "POST",
    headers: { cookie: own, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ token, ...fields }).toString(),
  });
  t.equal(reply.status, status);
  return reply.headers["set-cookie"]?.[0] ?? "";
}

const logIn = (scheme: string): Promise<string> => send(form, users, { scheme });

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

t.test("a logout at one machine counts at another, with no directory in common", async (t) => {
  const redis = await startRedis(t);
  if (!redis) return t.comment("no Redis");
  const startMachine = async (name: string) => {
    const stores = new Stores(folder);
    t.teardown(() => stores.close());
    const state = join(folder, "machines", name);
    const login = createLogin(stores, { run: "/none", directory: folder, state });
    return startEngine(t, { login, page: { handler: () => 0 } });
  };
  const [one, two] = await Promise.all([startMachine("one"), startMachine("two")]);
  const shared = ["option mod_ts.login.key_file key", `option mod_ts.login.ended ${redis.url}`];
  const ask = async (at: typeof peer, cookie: string): Promise<number> =>
    (await at.ask([...guarded, ...shared], { headers: { cookie } })).status;

  const set = await send([...form, ...shared], users, { at: one });
  const cookie = set.split(";")[0] ?? "";
  t.equal(await ask(one, cookie), 200);
  t.equal(await ask(two, cookie), 200);
  await send([...form, ...shared], { action: "logout" }, { at: two, cookie });
  t.equal(await ask(one, cookie), 302);
  t.equal(await ask(two, cookie), 302);
  const other = (await send([...form, ...shared], users, { at: two })).split(";")[0] ?? "";
  t.equal(await ask(one, other), 200);
  await redis.stop();
  t.equal(await ask(one, other), 503, "unknown who has logged out");
});

t.test("a logout that cannot be noted says so, and ends the tickets", async (t) => {
  const run = t.testdir({});
  prepareTickets(run, undefined);
  const tickets = new TicketStore(run);
  const owner = tickets.ownerOf({ user: "john" });
  const place = { end: "9999999990", owner, digest: "a".repeat(40) };
  const state = join(folder, "full");
  const login = createLogin(new Stores(folder), { run, directory: folder, state });
  const at = await startEngine(t, { login, page: { handler: () => 0 } });
  const cookie = (await send(form, users, { at })).split(";")[0] ?? "";
  const ask = async (): Promise<number> => (await at.ask(guarded, { headers: { cookie } })).status;
  t.ok(tickets.write(place, "", Date.now() + 10_000, 32));
  t.equal(await send(form, { action: "logout" }, { at, cookie, status: 503 }), "");
  t.match(at.log(), /MODTS_SESSION_STORE: .*ended-sessions/);
  t.equal(tickets.count(), 0);
  t.equal(await ask(), 200, "the cookie stays, so that another attempt is possible");
  rmSync(join(state, "ended-sessions"));
  await send(form, { action: "logout" }, { at, cookie });
  t.equal(await ask(), 302);
});
