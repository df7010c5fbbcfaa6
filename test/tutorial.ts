/** The tutorial, typed into a new directory: what its readers see at the end of each step. */
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t from "tap";
import { fences } from "./fixtures/markdown.ts";
import { modTs, startDev } from "./fixtures/mod-ts.ts";
import { setTimeout as sleep } from "node:timers/promises";

const project = join(import.meta.dirname, "..");
const site = mkdtempSync(join(tmpdir(), "mod-ts-tutorial-"));
chmodSync(site, 0o755);

function write(name: string, text: string): void {
  mkdirSync(dirname(join(site, name)), { recursive: true });
  writeFileSync(join(site, name), text);
}

const snippets = fences(readFileSync(join(project, "docs/tutorial.md"), "utf8"));
const texts = (language: string): string[] =>
  snippets.filter(({ info }) => info === language).map(({ text }) => text);

await modTs("init", site);
symlinkSync(join(project, "node_modules"), join(site, "node_modules"));
const { running, url } = await startDev(t, site);
const get = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(new URL(path, url), { redirect: "manual", ...init });

// All of it is typed while `mod-ts dev` runs.
const [, ...sections] = texts("apache").map((text) => text.replaceAll("/srv/site", site));
for (const text of texts("ts")) write(/^\/\/ (\S+)/.exec(text)?.[1] ?? "", text);
const [page = "", layout = ""] = texts("tsp");
write("pages/index.tsp", page);
write("pages/_layout.tsp", layout);
write("public/members/a.txt", "for members\n");
cpSync(join(project, "examples/users.sql"), join(site, "users.sql"));
// `mod-ts init` has written the first one.
appendFileSync(join(site, "apache.conf"), sections.join("\n"));
await running.logged("apache.conf: Apache has read it again");
while ((await get("/members/a.txt")).status !== 401) await sleep(50);

t.test("a handler, functions and a page", async (t) => {
  t.equal(await (await get("/hello")).text(), "Hello, 127.0.0.1!\n");
  t.equal((await (await get("/publisher/hello.ts/add?a=1&b=2")).text()).trim(), "3");
  t.equal((await get("/publisher/hello.ts/add")).status, 400);
  t.match(await (await get("/pages/")).text(), /<h1>Planets<\/h1>[^]*<th>Mars<\/th><td>2</);
});

t.test("a form and a session", async (t) => {
  const body = new FormData();
  body.set("file", new File(["12345"], "five.txt"));
  t.match(await (await get("/upload", { method: "POST", body })).text(), "five.txt: 5 bytes");
  const first = await get("/counter");
  t.match(await first.text(), /^1\n/);
  const cookie = first.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  t.match(await (await get("/counter", { headers: { cookie } })).text(), /^2\n/);
});

t.test("access control by a login form", async (t) => {
  const refused = await get("/members/a.txt");
  t.equal(refused.status, 401);
  t.match(await refused.json(), { login: "/login" });
  const form = await get("/login");
  const token = /name="token" value="([^"]+)"/.exec(await form.text())?.[1] ?? "";
  const cookies = form.headers.getSetCookie();
  const entered = await get("/login", {
    method: "POST",
    headers: { cookie: cookies.map((one) => one.split(";")[0]).join("; ") },
    body: new URLSearchParams({ token, user: "john", password: "secret", action: "login" }),
  });
  t.equal(entered.status, 303);
  cookies.push(...entered.headers.getSetCookie());
  const cookie = cookies.map((one) => one.split(";")[0]).join("; ");
  t.equal(await (await get("/members/a.txt", { headers: { cookie } })).text(), "for members\n");
});

t.test("what lies beside the document root is not served", async (t) => {
  for (const path of [
    "/users.sql",
    "/users.db",
    "/mod-ts.config.ts",
    "/apache.conf",
    "/package.json",
  ]) {
    t.not((await get(path)).status, 200, path);
  }
});

t.test("a mistake in apache.conf is printed, and the last version stays", async (t) => {
  const file = join(site, "apache.conf");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, `${text}\nUse TsHandlr hello.ts\n`);
  t.match(await running.logged("apache.conf: rejected"), "the last version stays in use");
  t.equal((await get("/hello")).status, 200, "Apache serves on");
  writeFileSync(file, text);
});
