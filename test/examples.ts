/** The examples that are more than one file: what a visitor of `npm start` meets. */
import { cpSync, existsSync, mkdtempSync, chmodSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { Running } from "./fixtures/mod-ts.ts";

const folder = mkdtempSync(join(tmpdir(), "mod-ts-examples-"));
chmodSync(folder, 0o755);
cpSync(join(import.meta.dirname, "../examples"), folder, {
  recursive: true,
  filter: (name) => !name.endsWith("/.mod-ts"),
});
const running = new Running("dev", folder, "--port", "0");
t.teardown(async () => {
  const ended = new Promise((resolve) => running.child.once("exit", resolve));
  running.child.kill("SIGTERM");
  await ended;
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});
const url = /http:\S+/.exec(await running.logged("mod_ts is ready: "))?.[0] ?? "";

async function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(new URL(path, url), {
    headers: { accept: "text/html", ...headers },
    redirect: "manual",
  });
}

t.test("every address of the front page is there", async (t) => {
  const front = await (await get("/")).text();
  const addresses = [...front.matchAll(/<li><a href="([^"]+)"/g)].map(
    ([, address = ""]) => address,
  );
  t.ok(addresses.length >= 6);
  for (const address of addresses) {
    const reply = await get(address);
    t.ok([200, 302, 401].includes(reply.status), `${address}: ${reply.status}`);
    await reply.body?.cancel();
  }
});

t.test("/secure/: john, secret, a password dialog, a table of SQLite", async (t) => {
  const as = (user: string): Promise<Response> =>
    get("/secure/", { authorization: `Basic ${Buffer.from(user).toString("base64")}` });
  const refused = await get("/secure/");
  t.equal(refused.status, 401);
  t.equal(refused.headers.get("www-authenticate"), 'Basic realm="secure"');
  t.equal((await as("john:wrong")).status, 401);
  t.equal((await as("jane:secret")).status, 401);
  const reply = await as("john:secret");
  t.equal(reply.status, 200);
  t.match(await reply.text(), "Behind a password dialog");
  t.ok(existsSync(join(folder, ".mod-ts/run/users.db")));
});

t.test("/reports/<department>/: for its members alone", async (t) => {
  const headers = { authorization: `Basic ${Buffer.from("john:secret").toString("base64")}` };
  const cases: [string, number][] = [
    ["/reports/", 200],
    ["/reports/sales/", 200],
    ["/reports/engineering/", 403],
    ["/reports/sales/../engineering/", 403],
    ["/reports//engineering/", 403],
    ["/reports/%65ngineering/index.html", 403],
    ["/reports/nobody/", 403],
  ];
  for (const [path, status] of cases) t.equal((await get(path, headers)).status, status, path);
  t.equal((await get("/reports/sales/")).status, 401);
});

t.test("/members/: the same john, and a form", async (t) => {
  // A script, which is what fetch is, gets no redirect.
  t.strictSame(await (await get("/members/")).json(), { error: "login required", login: "/login" });
  const form = await get("/login");
  const cookie = form.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const token = /name="token" value="([^"]+)"/.exec(await form.text())?.[1] ?? "";
  const done = await fetch(new URL("/login", url), {
    method: "POST",
    body: new URLSearchParams({ token, user: "john", password: "secret", return: "/members/" }),
    headers: { cookie },
    redirect: "manual",
  });
  t.equal(done.headers.get("location"), "/members/");
  const session = done.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  t.match(await (await get("/members/", { cookie: session })).text(), "Behind a login form");
});
