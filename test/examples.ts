/** The examples that are more than one file: what a visitor of `npm start` meets. */
import { chmodSync, cpSync, existsSync, mkdtempSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { startDev } from "./fixtures/mod-ts.ts";

const folder = mkdtempSync(join(tmpdir(), "mod-ts-examples-"));
chmodSync(folder, 0o755);
cpSync(join(import.meta.dirname, "../examples"), folder, {
  recursive: true,
  filter: (name) => !/\/(?:\.mod-ts|public\/docs.*)$/.test(name),
});
// The application of Hono finds its package there.
symlinkSync(join(import.meta.dirname, "../node_modules"), join(folder, "node_modules"));
const { url } = await startDev(t, folder);

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
  t.ok(addresses.length >= 14);
  for (const address of addresses) {
    const reply = await get(address);
    t.ok([200, 302, 401].includes(reply.status), `${address}: ${reply.status}`);
    await reply.body?.cancel();
  }
});

t.test("the traffic page hears of files that Apache serves", async (t) => {
  const events = await get("/traffic?live");
  const reader = events.body!.getReader();
  const total = async (): Promise<number> => {
    const { value = new Uint8Array() } = await reader.read();
    return Number(/"total":(\d+)/.exec(Buffer.from(value).toString())?.[1] ?? 0);
  };
  const before = await total();
  for (let count = 0; count < 20; count += 1) await (await get("/style.css")).text();
  let after = before;
  // Each event is a second later.
  for (let tries = 0; after < before + 20 && tries < 60; tries += 1) after = await total();
  await reader.cancel();
  t.ok(after >= before + 20, `${after - before} requests more`);
});

t.test("/sockets asks a server of another protocol", async (t) => {
  const ask = async (command: string): Promise<string> =>
    (await get(`/sockets?command=${encodeURIComponent(command)}`)).text();
  t.match(await ask("SET planet Mars"), "<pre>+OK");
  t.match(await ask("GET planet"), /<pre>\$4\s+Mars/);
  t.match(await ask("PUBLISH news hello"), "<pre>:0");
});

t.test("phases before files that Apache serves", async (t) => {
  const article = await get("/articles/first-steps");
  t.match(await article.text(), "<h1>First steps</h1>");
  t.match(article.headers.get("etag"), /^(?:W\/)?"/, "served by Apache");
  t.equal(article.headers.get("x-policy"), "examples/policy.ts");
  const notes = await get("/articles/notes.md");
  t.equal(notes.headers.get("content-type"), "text/plain; charset=utf-8");
  t.match(await notes.text(), "ä, ö, ü");
  t.equal((await get("/articles/none")).status, 404);
});

t.test("filters on files that Apache serves", async (t) => {
  const html = await (await get("/filtered/")).text();
  t.match(html, /rel="external noopener">this link ↗<\/a>/);
  t.match(html, "Rewritten for 127.0.0.1");
  const orders = await (await get("/filtered/orders.json")).text();
  t.match(orders, '"************1111"');
  t.notMatch(orders, "411111111111");
});

t.test("pages, functions, scripts", async (t) => {
  const planets = await (await get("/pages/?moons=90")).text();
  t.match(planets, /<h1>Planets<\/h1>[^]*Jupiter[^]*Saturn/);
  t.notMatch(planets, "Venus");
  t.match(await (await get("/publisher/hello.ts/time")).text(), /^It is \d\d:\d\d:\d\d\.\n$/);
  t.equal(await (await get("/publisher/hello/add?a=1&b=2")).text(), "3\n");
  t.equal(
    await (await get("/publisher/hello/greet?name=Ann&times=2")).text(),
    "Hello, Ann! Hello, Ann! ",
  );
  const wrong = await get("/publisher/hello/greet?times=many");
  t.equal(wrong.status, 400);
  t.match(await wrong.text(), /name[^]*times/);
  const script = await (await get("/cgi/env.ts?a=1")).text();
  t.match(script, /^GATEWAY_INTERFACE=CGI\/1\.1$/m);
  t.match(script, /^QUERY_STRING=a=1$/m);
});

t.test("/upload shows what was sent, and refuses what is too much", async (t) => {
  const send = (size: number): Promise<Response> => {
    const body = new FormData();
    body.set("file", new File(["x".repeat(size)], "a<b>.txt", { type: "text/plain" }));
    body.set("note", "a & b");
    return fetch(new URL("/upload", url), { method: "POST", body });
  };
  const shown = await (await send(1234)).text();
  for (const part of ["a&lt;b&gt;.txt", "text/plain", "1234 bytes", "a &amp; b"])
    t.match(shown, part);
  t.equal((await send(6_000_000)).status, 413);
});

t.test("/counter counts the visits of one browser", async (t) => {
  const first = await get("/counter");
  const cookie = first.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const count = async (): Promise<string | undefined> =>
    /class="figure">(\d+)</.exec(await (await get("/counter", { cookie })).text())?.[1];
  t.equal(await count(), "2");
  t.equal(await count(), "3");
  const reset = await fetch(new URL("/counter", url), {
    method: "POST",
    headers: { cookie },
    redirect: "manual",
  });
  t.equal(reset.status, 302);
  t.equal(await count(), "1");
});

t.test("/app/: routes of Hono", async (t) => {
  t.match(await (await get("/app/")).text(), "A Hono application");
  t.strictSame(await (await get("/app/books/7")).json(), { id: 7, title: "The Apache Book" });
  const missing = await get("/app/nowhere");
  t.equal(missing.status, 404);
  t.match(await missing.text(), "Hono says so");
});

t.test("/source/ shows the files of the tour, and no others", async (t) => {
  t.match(await (await get("/source/pages/index.tsp")).text(), "&lt;%@ layout");
  for (const path of ["users.sql", "mod-ts.config.ts", "mod_ts/sql", "..%2fpackage.json", ""]) {
    t.equal((await get(`/source/${path}`)).status, 404, path);
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
