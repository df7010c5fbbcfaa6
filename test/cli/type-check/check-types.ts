/** The real compiler over handlers and pages: every mistake at its place in the file that the author wrote. */
import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Finding } from "../../../src/httpd/finding.ts";
import { checkTypes } from "../../../src/cli/type-check/check-types.ts";

const good = {
  "hello.ts":
    'import { OK, Page, type ApacheRequest } from "mod-ts";\nimport { version } from "./lib/version.ts";\nexport const handler = (req: ApacheRequest) => new Page(req, "a.tsp", { version }).run().then(() => OK);\n',
  lib: { "version.ts": "export const version: number = 1;\n" },
  "a.tsp":
    '<%! import { version } from "./lib/version.ts"; interface Vars { version: number } %>\n<%@ layout file="parts/_base.tsp" with="{ title: vars.version.toFixed() }" %>\n<% for (const name of ["x"]) { %>\n<%= name.length + version %> <%= (await form).getFirst("a") %>\n<%@ include file="parts/_row.tsp" with="{ name }" %>\n<% } %>\n',
  parts: {
    "_base.tsp":
      "<%! interface Vars { title: string } %>\n<title><%= vars.title %></title><%@ body %>\n",
    "_row.tsp": "<%! type Vars = { name: string }; %>\n<%= vars.name.trim() %>\n",
  },
};

const places = (findings: readonly Finding[], folder: string): string[] =>
  findings.map(({ where = "" }) => where.replace(`${folder}/`, ""));

t.test("what is right is one line", async (t) => {
  const folder = t.testdir(good);
  t.match(await checkTypes([folder, join(folder, "lib")]), [
    { level: "ok", what: /\b5\b/, where: folder },
  ]);
  t.notOk(readdirSync(folder).includes(".mod-ts"), "and nothing is written");
});

t.test("JSX in a directory of mod-ts init", async (t) => {
  const template = new URL("../../../templates/init/tsconfig.json", import.meta.url);
  const folder = t.testdir({
    "tsconfig.json": readFileSync(template, "utf8"),
    "element.tsx":
      "/** @jsxImportSource hono/jsx */\nexport default () => new Response(String(<b />));\n",
  });
  symlinkSync(new URL("../../../node_modules", import.meta.url), join(folder, "node_modules"));
  t.match(await checkTypes([folder]), [{ level: "ok" }], "as it runs");
});

t.test("exports that are not what their phase calls", async (t) => {
  const folder = t.testdir({
    "right.ts": `import { type ApacheRequest, OK } from "mod-ts";
export async function handler(): Promise<Response> { return new Response("a"); }
export const accessHandler = (req: ApacheRequest) => (req.isHttps() ? OK : 403);
export function logHandler(): void {}
export function helper(): string { return "no phase"; }
`,
    "app.ts": "export default { fetch: () => new Response() };\n",
    "text.ts": 'export function handler() {\n  return "hello";\n}\n',
    "nothing.ts": "// A forgotten return.\nexport async function authenHandler() {}\n",
    "open.ts": "export const accessHandler = (req: string) => req === '';\n",
    "value.ts": "export const fixupHandler = 1;\n",
  });
  const findings = await checkTypes([folder]);
  t.same(places(findings, folder).toSorted(), [
    "nothing.ts:2:23",
    "open.ts:1:14",
    "text.ts:1:17",
    "value.ts:1:14",
  ]);
  t.match(
    findings.find(({ where }) => where?.includes("text.ts"))?.what,
    /^handler is not what its phase calls: .*\n.*'string' is not assignable/,
    "with the reason of the compiler",
  );
});

t.test("exports of modules that tsconfig.json excludes are not checked", async (t) => {
  const folder = t.testdir({
    "tsconfig.json": '{ "exclude": ["old.ts"] }',
    "new.ts": "export function handler(): number { return 200; }\n",
    "old.ts": 'export function handler(): number { return "old"; }\n',
  });
  t.match(await checkTypes([folder]), [{ level: "ok", what: /\b1\b/ }]);
});

t.test("mistakes of every kind, in lines and columns of the page", async (t) => {
  const folder = t.testdir({
    ...good,
    "bad.ts": "export const handler = (req: string) => req.nothing;\n",
    "value.tsp": '<% const n: number = "x"; %>\n<b><%= "abc".lenght %></b>\n',
    "unknown.tsp": "\n\n<p><%= missing %></p>\n",
    "vars.tsp":
      '\n<%@ include file="parts/_row.tsp" %>\n<%@ include file="parts/_row.tsp" with="{ name: 1 }" %>\n',
    "import.tsp": '<%! import { nothing } from "./lib/version.ts"; %>\n<%= nothing %>\n',
    "await.tsp": "<% const f = () => { %>\n<%= await 1 %>\n<% }; f(); %>\n",
    "absent.tsp": '\n<%@ include file="nowhere.tsp" %>\n',
    "open.tsp": "\n<% if (1",
  });
  const findings = await checkTypes([folder]);
  t.ok(findings.every(({ level }) => level === "bad"));
  t.same(places(findings, folder).toSorted(), [
    "absent.tsp:2:19",
    "await.tsp:2:5",
    "bad.ts:1:14",
    "bad.ts:1:45",
    "import.tsp:1:14",
    "open.tsp:2:1",
    "unknown.tsp:3:8",
    "value.tsp:1:10",
    "value.tsp:2:14",
    "vars.tsp:2:1",
    "vars.tsp:3:43",
  ]);
  t.match(
    findings.find(({ where }) => where?.endsWith("value.tsp:2:14"))?.what,
    /^TS\d+: .*length/,
  );
});

t.test("the settings of the folder hold", async (t) => {
  const files = {
    "loose.ts": "export const handler = (req) => req;\n",
    "aliased.tsp": '<%! import { n } from "#lib/n"; %>\n<%= n %>\n',
    "untyped.tsp":
      "<%= vars.title.any %> <% session.data['n'] = 1; write(escape(req.uri)); await flush(); %>\n",
    lib: { "n.ts": "export const n = 1;\n" },
    "package.json": "{}",
  };
  const strictFolder = t.testdir(files);
  t.same(places(await checkTypes([strictFolder]), strictFolder).toSorted(), [
    "aliased.tsp:1:23",
    "loose.ts:1:25",
  ]);
  const loose = t.testdir({
    ...files,
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        strict: false,
        noPropertyAccessFromIndexSignature: true,
        strictNullChecks: true,
        exactOptionalPropertyTypes: true,
        verbatimModuleSyntax: true,
        noUnusedLocals: true,
        composite: true,
        rootDir: ".",
        paths: { "#lib/*": ["./lib/*.ts"] },
      },
    }),
  });
  t.match(await checkTypes([loose]), [{ level: "ok" }]);

  const broken = t.testdir({
    "a.ts": "",
    "tsconfig.json": '{ "compilerOptions": { "strct": true } }',
  });
  t.match(await checkTypes([broken]), [
    { level: "bad", what: /Unknown compiler option 'strct'/, where: /tsconfig\.json:1:24$/ },
  ]);
});

t.test("each file by its nearest tsconfig.json", async (t) => {
  const setting = (compilerOptions: object) => JSON.stringify({ compilerOptions });
  const folder = t.testdir({
    "package.json": "{}",
    "tsconfig.json": setting({ strict: true }),
    "top.ts": 'import { loose } from "./admin/loose.ts";\nexport const top = (a) => loose(a);\n',
    admin: {
      "tsconfig.json": setting({ strict: false, jsx: "react-jsx", jsxImportSource: "hono/jsx" }),
      "loose.ts": "export const loose = (a) => a;\n",
      "element.tsx": "export default () => new Response(String(<b />));\n",
      "page.tsp": "<% const twice = (a) => a + a; %><%= twice(1) %>\n",
      // As it runs, and in editors, a package.json changes nothing.
      web: {
        "package.json": "{}",
        "element.tsx": "export default () => new Response(String(<b />));\n",
      },
    },
    shop: {
      "tsconfig.json": setting({ strict: true, jsx: "react" }),
      "element.tsx": "export default () => new Response(String(<b />));\n",
      "page.tsp": "<% const twice = (a) => a + a; %><%= twice(1) %>\n",
      "wrong.ts": 'export function handler() {\n  return "text";\n}\n',
    },
  });
  symlinkSync(new URL("../../../node_modules", import.meta.url), join(folder, "node_modules"));
  const findings = await checkTypes([folder]);
  t.same(places(findings, folder).toSorted(), [
    "shop/element.tsx:1:42",
    "shop/element.tsx:1:43",
    "shop/page.tsp:1:19",
    "shop/wrong.ts:1:17",
    "top.ts:2:21",
  ]);
});

t.test("a mistake in a common tsconfig.json is said once", async (t) => {
  const folder = t.testdir({
    "package.json": "{}",
    "tsconfig.json": '{ "compilerOptions": { "strct": true } }',
    one: { "a.ts": "" },
    two: { "b.ts": "" },
  });
  const findings = await checkTypes([join(folder, "one"), join(folder, "two")]);
  t.same(
    findings.map(({ where }) => where),
    [join(folder, "tsconfig.json:1:24")],
  );
});

t.test("a folder without any code has nothing to say", async (t) => {
  t.same(await checkTypes([t.testdir({ "a.txt": "" })]), []);
});

t.test("a compiler that cannot be read is a finding", async (t) => {
  const folder = t.testdir({
    "a.ts": "",
    node_modules: { typescript: { "package.json": "{" } },
  });
  t.match(await checkTypes([folder]), [{ level: "bad", where: folder, todo: /JSON/ }]);
});
