/** The documentation as a site: every link in it leads somewhere, and Apache serves it with its search. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import t from "tap";
import { startBrowser, withoutBrowser } from "./fixtures/chromium.ts";
import { startDev } from "./fixtures/mod-ts.ts";

const project = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "mod-ts-docs-"));
chmodSync(folder, 0o755);
for (const name of ["apache.conf", "docs.ts", "layout.ts", "mod-ts.config.ts", "traffic.ts"]) {
  cpSync(join(project, "examples", name), join(folder, name));
}
mkdirSync(join(folder, "public"));
const { url } = await startDev(t, folder);
const get = (path: string): Promise<Response> =>
  fetch(new URL(path, url), { redirect: "manual", headers: { accept: "text/html" } });

// A first run installs the generator.
t.setTimeout(300_000);

t.test("without a site the page says how it is built", async (t) => {
  const reply = await get("/docs/");
  t.equal(reply.status, 404);
  t.match(await reply.text(), "npm run docs");
});

t.test("the output of a failed build is shown, as text", async (t) => {
  const state = join(folder, ".mod-ts/docs");
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, "log"), "npm error <ENOTFOUND>");
  t.match(await (await get("/docs/operations.html")).text(), "npm error &lt;ENOTFOUND&gt;");
  writeFileSync(join(state, "pid"), "1");
  const reply = await get("/docs/");
  t.equal(reply.status, 503, "while it runs");
  t.ok(reply.headers.has("refresh"));
  rmSync(state, { recursive: true });
});

t.test("a site without a dead link, through Apache", async (t) => {
  const program = join(project, "scripts/docs-site/build.ts");
  const build = spawn(process.execPath, [program, folder, "--without-api"], {
    stdio: ["ignore", "ignore", "pipe"],
    // tap's preload is nothing for npm and VitePress.
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  const [said, [status]] = await Promise.all([text(build.stderr), once(build, "exit")]);
  if (status === 2) return t.comment(`the generator cannot be installed: ${said}`);
  t.equal(status, 0, "the build", { said });

  const page = await get("/docs/operations.html");
  t.equal(page.status, 200);
  const html = await page.text();
  t.match(html, '<html lang="en-US"');
  for (const [, asset = ""] of html.matchAll(/(?:href|src)="(\/docs\/assets\/[^"]+)"/g)) {
    const reply = await get(asset);
    t.equal(reply.status, 200, asset);
    t.match(reply.headers.get("content-type"), /javascript|css|font/, asset);
    await reply.body?.cancel();
  }
  // The first block of its language, for which the colors are worked out while the machine may be busy.
  const first = /<span class="line">(.*?)OK, /.exec(await (await get("/docs/")).text());
  t.match(
    first?.[1],
    /--shiki-light:#cb2431.*>import</,
    "colored as code, not as the comment before",
  );
  const source = "/docs/source/test/apache/trust-ts.txt";
  t.match(await (await get("/docs/security.html")).text(), `href="${source}"`);
  const file = await get(source);
  t.match(file.headers.get("content-type"), "text/plain");
  t.equal(await file.text(), readFileSync(join(import.meta.dirname, "apache/trust.ts"), "utf8"));
  t.equal((await get("/docs/none.html")).status, 404);
});

t.test("its search finds a macro", async (t) => {
  const chunks = join(folder, "public/docs/assets/chunks");
  if (!existsSync(chunks)) return t.comment("there is no site");
  const [name = ""] = readdirSync(chunks).filter((chunk) => chunk.includes("localSearchIndex"));
  const reply = await get(`/docs/assets/chunks/${encodeURIComponent(name)}`);
  t.equal(reply.status, 200);
  const module = `data:text/javascript,${encodeURIComponent(await reply.text())}`;
  const { default: index } = (await import(module)) as { default: string };
  const engine = join(project, "scripts/docs-site/node_modules/minisearch/dist/es/index.js");
  const { default: MiniSearch } = (await import(engine)) as { default: Engine };
  const fields = { fields: ["title", "titles", "text"], storeFields: ["title", "titles"] };
  const [first] = MiniSearch.loadJSON(index, fields).search("TsTicket");
  t.match(first?.id, "/docs/apache.html#tsticket");
});

t.test("its search in a browser: a word, and a result that opens", async (t) => {
  if (withoutBrowser) return t.comment(withoutBrowser);
  if (!existsSync(join(folder, "public/docs"))) return t.comment("there is no site");
  const page = await (await startBrowser(t)).newPage();
  await page.goto(`${url}/docs/`);
  await page.locator("#local-search button").click();
  await page.locator("#localsearch-input").fill("TsTicket");
  await page.locator("#localsearch-list a").first().click();
  await page.waitForURL("**/docs/apache.html#tsticket");
  t.equal(await page.locator("#tsticket").count(), 1);

  // Sections of errors are short, so that a word in one of their titles would count most.
  for (const [word, guide] of [
    ["upload", "tutorial.html#4-a-form-and-a-file"],
    ["SSO", "how-to/login-services.html"],
  ] as const) {
    await page.goto(`${url}/docs/`);
    await page.locator("#local-search button").click();
    await page.locator("#localsearch-input").fill(word);
    const first = page.locator(`#localsearch-list li:first-child a[href*="${guide}"]`);
    t.equal(await first.waitFor().then(() => true, String), true, word);
  }
});

interface Engine {
  loadJSON(json: string, options: object): { search(words: string): { id: string }[] };
}
