/** Server pages through a real Apache: what they write, with what, and how fresh it is. */
import { request as httpRequest } from "node:http";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `
    <Directory "\${FOLDER}/htdocs/pages">
      DirectoryIndex index.tsp
      Use TsHandler mod_ts/pages
    </Directory>
    <Directory "\${FOLDER}/htdocs/matched">
      DirectoryIndex index.tsp index.html
      <FilesMatch "\\.tsp_?$">
        Use TsHandler mod_ts/pages
        Use TsDebug On
      </FilesMatch>
    </Directory>
    <Location /report>
      Use TsHandler report.ts
    </Location>
  `,
  config: { handlers: ["handlers", "htdocs/pages", "htdocs/matched"] },
  files: {
    ...handlerFiles("pages/site", "htdocs/pages"),
    "htdocs/matched/index.tsp": "matched",
    "htdocs/matched/a.txt": "plain",
  },
  handlers: handlerFiles("pages/report"),
});

const get = (name: string) => apache.request(`/pages/${name}`);
const bodyOf = async (name: string): Promise<string> => (await get(name)).body;

t.test("text, values, raw values, comments, statements, imports", async (t) => {
  const reply = await get("hello.tsp?%22%3E%3Cscript%3E");
  t.match(reply, {
    status: 200,
    headers: { "content-type": "text/html; charset=utf-8", "content-length": /^\d+$/ },
  });
  t.equal(reply.body, '<p class="%22%3E%3Cscript%3E">Hello World</p>\n<hr>\n<i>1</i>\n<i>2</i>\n');
});

t.test("a value is escaped unless the page says otherwise", async (t) => {
  apache.write(
    "htdocs/pages/xss.tsp",
    `<a title='<%= decodeURIComponent(req.args ?? "") %>'><%- decodeURIComponent(req.args ?? "") %></a>`,
  );
  const attack = `<script>'"&`;
  t.equal(
    await bodyOf(`xss.tsp?${encodeURIComponent(attack)}`),
    `<a title='&lt;script&gt;&#39;&quot;&amp;'>${attack}</a>`,
  );
});

t.test("index.tsp is the index of its folder; other files are Apache's", async (t) => {
  t.equal(await bodyOf(""), "<h1>Index</h1>\n");
  t.equal(await bodyOf("notes.txt"), "plain");
  t.equal((await get("greet.ts")).status, 403, "no source");
});

t.test("mapped by <FilesMatch>, everything else is left to Apache", async (t) => {
  t.equal((await apache.request("/matched/")).body, "matched");
  t.match((await apache.request("/matched/a.txt")).headers, { "accept-ranges": "bytes" });
  t.match(await apache.request("/matched/index.tsp_"), { status: 200, body: "<td>matched</td>" });
});

t.test("includes have their own variables, static and dynamic", async (t) => {
  t.equal(await bodyOf("parts.tsp"), "<b>A &amp; B</b>\n<b>dynamic</b>\n\n");
});

t.test("layouts with slots, defaults, blocks, and a layout around a layout", async (t) => {
  t.equal(await bodyOf("laid.tsp"), "<title>Own</title>\n<main>\n<p>text</p>\n</main>\nno foot\n");
  t.equal(await bodyOf("wide.tsp"), "<title>T</title>\n<main>\n<div>x</div>\n</main>\nwide page\n");
});

t.test("write() keeps its place, also in an expression", async (t) => {
  t.equal(await bodyOf("write.tsp"), "a<b>cd");
});

t.test("content type, path info, methods", async (t) => {
  t.match(await get("plain.tsp/a/b"), {
    status: 200,
    headers: { "content-type": "text/plain" },
    body: "/a/b",
  });
  t.equal((await get("hello.tsp/more")).status, 404);
  t.equal((await get("missing.tsp")).status, 404);
  t.equal((await get("_part.tsp")).status, 404, "a part is not asked for itself");
  const refused = await apache.request("/pages/hello.tsp", { method: "DELETE" });
  t.match(refused, { status: 405, headers: { allow: "GET, HEAD, POST" } });
  const head = await apache.request("/pages/hello.tsp", { method: "HEAD" });
  const length = (await get("hello.tsp")).headers["content-length"];
  t.match(head, { status: 200, body: "", headers: { "content-length": length } });
});

t.test("a form is parsed for a page that names it, and for no other", async (t) => {
  const ask = {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "name=%3Cme%3E",
  };
  t.equal((await apache.request("/pages/form.tsp", ask)).body, "got &lt;me&gt;\n");
  t.equal((await apache.request("/pages/noform.tsp", ask)).body, "form name=%3Cme%3E");
  t.equal(
    (await apache.request("/pages/form.tsp", { ...ask, headers: { "content-type": "a/b" } }))
      .status,
    415,
  );
});

t.test("a session is opened for a page that names it, and saved", async (t) => {
  const first = await get("count.tsp");
  t.equal(first.body, "1 of a part\n");
  const cookie = String(first.headers["set-cookie"]).split(";")[0] ?? "";
  const again = await apache.request("/pages/count.tsp", { headers: { cookie } });
  t.equal(again.body, "2 of a part\n", "the same session for page and part, without a deadlock");
  t.equal((await get("hello.tsp")).headers["set-cookie"], undefined);
});

t.test("a redirect drops what was written", async (t) => {
  t.match(await get("gone.tsp"), { status: 302, headers: { location: /\/elsewhere$/ } });
  t.notMatch(await bodyOf("gone.tsp"), "never");
});

t.test("flush() sends what there is while the page goes on", async (t) => {
  t.equal(await bodyOf("held.tsp"), "held");
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const done = new Promise<void>((resolve, reject) => {
    httpRequest({ port: apache.port, path: "/pages/stream.tsp", agent: false }, (response) => {
      response.setEncoding("utf8").on("data", (chunk: string) => {
        seen.push(chunk);
        first.resolve();
      });
      response.once("end", resolve);
    })
      .once("error", reject)
      .end();
  });
  await first.promise;
  t.same(seen, ["first\n"]);
  t.equal(await bodyOf("open.tsp"), "released", "only now the second part may come");
  await done;
  t.equal(seen.join(""), "first\nsecond\n");
});

t.test("a page from a handler: as an answer, as text, by name and by URL", async (t) => {
  const list = "<ul>\n  <li>&lt;1&gt;</li>\n  <li>2</li>\n</ul>\n";
  t.match(await apache.request("/report"), {
    body: list,
    headers: { "content-type": "text/html; charset=utf-8" },
  });
  t.equal((await apache.request("/report?url")).body, list);
  t.match((await apache.request("/report?text")).body, /<LI>3<\/LI>/);
});

t.test(
  "the next request runs what was saved: page, include, layout, module, new page",
  async (t) => {
    for (let n = 1; n <= 10; n += 1) {
      apache.write(
        "htdocs/pages/hello.tsp",
        `<%! import { greet } from "./greet.ts"; %>${n} <%= greet("") %>`,
      );
      t.equal(await bodyOf("hello.tsp"), `${n} Hello `, "a saved page");
      apache.write("htdocs/pages/_part.tsp", `${n} <%= vars.who %>`);
      t.equal(await bodyOf("parts.tsp"), `${n} A &amp; B${n} dynamic\n`, "a saved part");
      apache.write(
        "htdocs/pages/_base.tsp",
        `${n} <%@ slot name="title" %><%@ end %> <%@ body %> <%@ slot name="foot" %><%@ end %>`,
      );
      t.equal(await bodyOf("laid.tsp"), `${n} Own <p>text</p>\n `, "a saved layout");
      apache.write("htdocs/pages/fresh.tsp", `fresh ${n}`);
      t.equal(await bodyOf("fresh.tsp"), `fresh ${n}`, "a new page");
    }
    apache.write("htdocs/pages/greet.ts", 'export const greet = () => "Bye";');
    t.equal(await bodyOf("hello.tsp"), "10 Bye");
  },
);

t.test("a syntax error keeps the last good page, and says so", async (t) => {
  apache.write("htdocs/pages/fresh.tsp", "good");
  t.equal(await bodyOf("fresh.tsp"), "good");
  apache.write("htdocs/pages/fresh.tsp", "line 1\n<% const = 1; %>\n");
  t.equal(await bodyOf("fresh.tsp"), "good");
  await until(apache.sidecarLog, /fresh\.tsp:2:10/);
  apache.write("htdocs/pages/fresh.tsp", "better");
  t.equal(await bodyOf("fresh.tsp"), "better");
});

t.test("compiled pages lie in a folder that is the sidecar's alone", async (t) => {
  const folder = join(apache.folder, "run/cache");
  t.equal(statSync(folder).mode & 0o777, 0o700);
  t.ok(readdirSync(folder).length > 10);
});
