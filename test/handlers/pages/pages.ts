/** Which requests are for a page. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startWorker } from "../../fixtures/gateway.ts";
import { listing, pagesFingerprint } from "../../../src/handlers/pages/pages.ts";
import { translatePage } from "../../../src/handlers/pages/translate.ts";

const worker = await startWorker(t, {
  "page.tsp": "page",
  "long.tsp": '<%@ page pathInfo="on" %>at <%= req.pathInfo %>',
  "_part.tsp": "part",
  "a.txt": "text",
});
mkdirSync(join(worker.folder, "folder.tsp"));

const ask = (name: string, { method = "GET", pathInfo = "", debug = false } = {}) =>
  worker.ask(["handler mod_ts/pages", ...(debug ? ["debug On"] : [])], {
    method,
    context: { filename: join(worker.folder, name), pathInfo },
  });

t.test("pages are served, other files are declined", async (t) => {
  t.match(await ask("page.tsp"), { status: 200, body: "page" });
  t.match(await ask("page.tsp", { method: "POST" }), { status: 200, body: "page" });
  t.match(await ask("a.txt"), { status: 200, body: "text" });
});

t.test("what there is not: parts, folders, what was deleted, a longer path", async (t) => {
  for (const name of ["_part.tsp", "folder.tsp", "none.tsp"]) {
    t.equal((await ask(name)).status, 404, name);
  }
  t.equal((await ask("page.tsp", { pathInfo: "/x" })).status, 404);
  t.match(await ask("long.tsp", { pathInfo: "/x" }), { status: 200, body: "at /x" });
  worker.write("brief.tsp", "brief");
  t.equal((await ask("brief.tsp")).body, "brief");
  rmSync(join(worker.folder, "brief.tsp"));
  t.equal((await ask("brief.tsp")).status, 404, "at once, not after the last good version");
});

t.test("other methods", async (t) => {
  for (const method of ["PUT", "DELETE", "OPTIONS", "PATCH"]) {
    t.match(await ask("page.tsp", { method }), {
      status: 405,
      headers: { allow: "GET, HEAD, POST" },
    });
  }
});

t.test("the listing is for Debug alone", async (t) => {
  t.equal((await ask("page.tsp_")).status, 404);
  const shown = await ask("page.tsp_", { debug: true });
  t.match(shown, { status: 200, headers: { "cache-control": /no-cache/ } });
  t.match(shown.body, "<td>page</td>");
  t.equal((await ask("none.tsp_", { debug: true })).status, 404);
  t.equal((await ask("folder.tsp_", { debug: true })).status, 404);
  t.equal((await ask("page.tsp_", { debug: true, pathInfo: "/x" })).status, 404);
});

t.test("page and code side by side, a row a line, escaped", async (t) => {
  const page = "<h1>\r\n<%= '<script>' %>\n</h1>";
  const html = listing("/srv/<a>.tsp", page, translatePage("/a.tsp", page).code);
  const rows = html.match(/<tr id=L\d+>.*<\/tr>/g) ?? [];
  t.equal(rows.length, 3);
  t.match(rows[0], "<td>&lt;h1&gt;</td>");
  t.match(rows[1], "<td>&lt;%= &#39;&lt;script&gt;&#39; %&gt;</td>");
  t.match(rows[1], "$t = $e((");
  t.match(html, "<h1>/srv/&lt;a&gt;.tsp</h1>");
  t.notMatch(html, "<script>");
});

t.test("the same code has the same fingerprint", async (t) => {
  t.match(pagesFingerprint(), /^[0-9a-f]{64}$/);
  t.equal(pagesFingerprint(), pagesFingerprint());
});
