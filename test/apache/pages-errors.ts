/** Pages that fail: what the client gets, what the log says, and that nothing gets out that must not. */
import { symlinkSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import t from "tap";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { logSince } from "../fixtures/log-since.ts";
import { until } from "../fixtures/until.ts";

/** Pages that cannot be built, and what the log says of each. */
const unbuilt: Record<string, readonly [page: string, log: RegExp]> = {
  statement: ["a\nb\n<% const = 1; %>\n", /statement\.tsp:3:10\b/],
  expression: ["a\n<b><%= 1 + %></b>", /expression\.tsp:2:/],
  semicolon: ["<%= 1; %>", /semicolon\.tsp:1:13\)/],
  parenthesis: ["\n\n<%= f(1 %>", /"\(".*parenthesis\.tsp:3:6\)/],
  open: ["text\n<% if (true) {", /%>.*open\.tsp:2:1\)/],
  string: ['<% const a = "x; %>\n', /string\.tsp:1:21\)/],
  comment: ["\n<%-- never", /--%>.*comment\.tsp:2:1\)/],
  directive: ['<%@ inlcude file="a.tsp" %>', /"inlcude".* include\b.*directive\.tsp:1:/],
  attribute: ['<%@ page charset="x" %>', /charset.*contentType.*attribute\.tsp:1:/],
  block: [
    '<%@ layout file="_l.tsp" %>\n<%@ block name="a" %>\n',
    /"a".*<%@ end %>.*block\.tsp:2:1\)/,
  ],
  nested: [
    '<%@ layout file="_l.tsp" %>\n<%@ block name="a" %><%@ block name="b" %><%@ end %><%@ end %>',
    /"a".*nested\.tsp:2:22\)/,
  ],
  brace: ["<% if (true) { %>\nopen", /brace\.tsp:2/],
  absent: ['\n<%@ include file="nowhere.tsp" %>', /nowhere\.tsp".*absent\.tsp:2:19\)/],
  passwd: ['<%@ include file="../../../../etc/passwd" %>', /etc\/passwd".*passwd\.tsp:1:/],
  absolute: ['<%@ include file="/etc/passwd.tsp" %>', /\/etc\/passwd\.tsp.*absolute\.tsp:1:26\)/],
  outside: ['a\n<%@ include file="../private.tsp" %>', /private\.tsp.*outside\.tsp:2:19\)/],
  link: ['<%@ include file="linked.tsp" %>', /private\.tsp.*link\.tsp:1:26\)/],
  passwdlink: ['<%@ include file="users.tsp" %>', /\/etc\/passwd .*passwdlink\.tsp:1:26\)/],
  late: ["text\n<%! const a = 1; %>", /late\.tsp:2:1\)/],
};

/** Pages that fail while they run. */
const failing: Record<string, readonly [page: string, log: RegExp]> = {
  statement2: ["a\nb\n<% null.x; %>\n", /statement2\.tsp:3:9\b/],
  expression2: ["a\n\n<b><%= vars.a.b %></b>", /expression2\.tsp:3:15\b/],
  included: ['\n\n\n<%@ include file="_bad.tsp" %>', /_bad\.tsp:2:\d+/],
  promise: ["\n<%= Promise.resolve(1) %>", /promise.*\bawait\b/],
  slot: [
    '<%@ layout file="_l.tsp" %>\n<%@ block name="titel" %>x<%@ end %>',
    /_l\.tsp.*"titel".*\btitle\b/,
  ],
  endless: ['<%@ include file="endless.tsp" %>', /RangeError.*\b100\b/],
  returned: ["text <% return; %> more", /returned\.tsp\b/],
  dynamic: ['<%- await include("../private.tsp") %>', /MODTS_OUTSIDE_ROOTS/],
};

const pages = { ...unbuilt, ...failing };

const apache = await startApache(t, {
  conf: `
    <Directory "\${FOLDER}/htdocs/pages">
      Use TsHandler mod_ts/pages
    </Directory>
    <Location /pages/debug>
      Use TsDebug On
    </Location>
  `,
  config: { handlers: ["htdocs/pages"] },
  files: {
    ...Object.fromEntries(
      Object.entries(pages).map(([name, [text]]) => [
        `htdocs/pages/${name}.tsp`,
        name === "slot" ? text : `SECRET ${text}`,
      ]),
    ),
    ...handlerFiles("pages-errors", "htdocs/pages"),
    "htdocs/private.tsp": "PRIVATE",
    "htdocs/bare.tsp": "BARE",
    "htdocs/pages/ok.tsp": "ok",
    "htdocs/pages/debug/unbuilt.tsp": "line 1\n<% const = 1; %>\n",
    "htdocs/pages/debug/list.tsp": '<h1>\n<%= "<script>" %>\n`</h1>',
    "htdocs/pages/list.tsp": "listed",
  },
});

symlinkSync("../private.tsp", join(apache.folder, "htdocs/pages/linked.tsp"));
symlinkSync("/etc/passwd", join(apache.folder, "htdocs/pages/users.tsp"));
symlinkSync("greet.ts", join(apache.folder, "htdocs/pages/module.tsp"));
apache.write("htdocs/pages/greet.ts", "export const handler = () => 0;");

const get = (name: string) => apache.request(`/pages/${name}`);

for (const [name, [, pattern]] of Object.entries(pages)) {
  t.test(`a page that fails: ${name}`, async (t) => {
    const logged = logSince(apache.sidecarLog);
    const reply = await get(`${name}.tsp`);
    t.equal(reply.status, 500, `${name} fails`);
    t.notMatch(reply.body, /SECRET|PRIVATE|root:/, "nothing of the page");
    const log = await logged(pattern);
    t.match(log, pattern);
    t.match(log, /\[mod_ts:error\].*(?:MODTS_BUILD_FAILED|MODTS_HANDLER_FAILED|MODTS_OUTSIDE)/);
    t.equal((await get("ok.tsp")).body, "ok", "nobody else is hurt");
  });
}

t.test("links: out of the folders, and to what is no page", async (t) => {
  for (const name of ["linked.tsp", "users.tsp", "module.tsp"]) {
    const reply = await get(name);
    t.equal(reply.status, 500, name);
    t.notMatch(reply.body, /PRIVATE|root:|handler/);
  }
  t.match(await until(apache.sidecarLog, "MODTS_MISSING_EXPORT"), "MODTS_MISSING_EXPORT");
});

t.test("an error page gets the exception and takes the place of the page", async (t) => {
  const logged = logSince(apache.sidecarLog);
  const reply = await get("own.tsp");
  t.match(reply, { status: 500, headers: { "content-type": "text/plain" } });
  t.equal(reply.body, "Sorry: &lt;own&gt;\n");
  t.equal(reply.headers["x-lost"], undefined);
  const log = await logged(/<own>[^]*own\.tsp:2:10/);
  t.match(log, /MODTS_PAGE_FAILED.*own\.tsp.*oops\.tsp/);
  t.match(log, /<own>[^]*own\.tsp:2:10/);
});

t.test("an error page named in code, from the document root, with a status", async (t) => {
  const reply = await get("named.tsp");
  t.match(reply, { status: 503, body: "Busy: no error", headers: { "x-kept": "1" } });
});

t.test(
  "an error page that fails itself, or lies outside: the plain page, both in the log",
  async (t) => {
    for (const [name, second] of [
      ["twice.tsp", /MODTS_ERROR_PAGE_FAILED[^]*second/],
      ["escape.tsp", /MODTS_ERROR_PAGE_FAILED[^]*ModTsError.*private\.tsp/],
    ] as const) {
      const logged = logSince(apache.sidecarLog);
      const reply = await get(name);
      t.equal(reply.status, 500);
      t.match(reply.body, "<h1>Internal Server Error</h1>");
      t.match(await logged(second), second);
      t.match(await logged(/MODTS_HANDLER_FAILED/), /MODTS_HANDLER_FAILED/);
    }
  },
);

t.test("what a page throws on purpose is no failure", async (t) => {
  const reply = await get("notfound.tsp");
  t.equal(reply.status, 404);
  t.notMatch(reply.body, "Sorry");
});

t.test("after the first flush the response is broken off", async (t) => {
  let seen = "";
  const ended = new Promise<string>((resolve, reject) => {
    const request = httpRequest({ port: apache.port, path: "/pages/cut.tsp", agent: false });
    request.once("response", (response) => {
      response.setEncoding("utf8").on("data", (chunk: string) => {
        seen += chunk;
        void get("go.tsp");
      });
      response.once("end", () => resolve("whole"));
      response.once("error", () => resolve("broken off"));
    });
    request.once("error", reject).end();
  });
  t.equal(await ended, "broken off");
  t.equal(seen, "begun", "and no error page behind it");
  await until(apache.sidecarLog, /cut\.tsp:1:/);
});

t.test("with Debug the browser sees the line of the page", async (t) => {
  const running = await get("debug/bad.tsp");
  t.equal(running.status, 500);
  t.match(running.body, /bad\.tsp:2:15/);
  t.match(running.body, /class=hit>2 {2}&lt;b&gt;&lt;%= vars\.a\.b %&gt;/);
  t.match((await get("debug/unbuilt.tsp")).body, /unbuilt\.tsp:2:10/);
});

t.test("the listing: with Debug alone, of pages alone, escaped", async (t) => {
  const listing = await get("debug/list.tsp_");
  t.match(listing, { status: 200, headers: { "content-type": "text/html; charset=utf-8" } });
  t.match(listing.body, "&lt;%= &quot;&lt;script&gt;&quot; %&gt;");
  t.match(listing.body, "$t = $e((");
  t.notMatch(listing.body, "<script>");
  for (const name of ["list.tsp_", "debug/none.tsp_", "debug/list.tsp_/x", "debug/list.tsp__"]) {
    t.equal((await get(name)).status, 404, name);
  }
  symlinkSync("../../private.tsp", join(apache.folder, "htdocs/pages/debug/out.tsp"));
  const outside = await get("debug/out.tsp_");
  t.equal(outside.status, 500);
  t.notMatch(outside.body, "PRIVATE");
});

t.test("without a handler the source of a page stays what it is: nobody's", async (t) => {
  for (const path of ["/bare.tsp", "/private.tsp", "/bare.tsp/x"]) {
    const reply = await apache.request(path);
    t.not(reply.status, 200, path);
    t.notMatch(reply.body, /BARE|PRIVATE/);
  }
});
