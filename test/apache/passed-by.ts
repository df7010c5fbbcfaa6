/**
 * Nothing passes by the handlers of a section: `RewriteRule [H]`, and what an author of
 * `.htaccess` files elsewhere can do by variables and redirects inside Apache.
 */
import t from "tap";
import { digest } from "../../src/engine/changes.ts";
import { answering, startOrigin, startRawServer } from "../fixtures/origin.ts";

/** Sections whose handlers refuse every request without the header `X-Pass`, and their lines for callbacks. */
const sections: Record<string, { use: string; line?: string }> = {
  module: { use: "TsModule module.ts", line: "module module.ts" },
  around: { use: 'TsAroundHandler "gate.ts mod_ts/origin"' },
  trans: { use: "TsTransHandler gate.ts", line: "trans gate.ts" },
  headerparser: { use: "TsHeaderParserHandler gate.ts", line: "headerparser gate.ts" },
  type: { use: "TsTypeHandler gate.ts", line: "type gate.ts" },
  fixup: { use: "TsFixupHandler gate.ts", line: "fixup gate.ts" },
};
const names = Object.keys(sections);
const gate = 'const gate = (req) => (req.headersIn.get("x-pass") === "yes" ? 0 : 403);\n';

const apache = await startOrigin(t, {
  authorizer: true,
  modules: ["mod_actions", "mod_asis", "mod_include"],
  conf: `
    ${Object.entries(sections)
      .map(
        ([name, { use }]) => `<Directory "\${FOLDER}/htdocs/${name}">
          AllowOverride FileInfo
          Use ${use}
        </Directory>`,
      )
      .join("\n")}
    <Directory "\${FOLDER}/htdocs/tenant">
      AllowOverride FileInfo Indexes
      Options +Includes
      AddOutputFilter INCLUDES .shtml
    </Directory>
    <Directory "\${FOLDER}/htdocs/undone">
      Use TsAroundHandler "gate.ts mod_ts/origin"
    </Directory>
    RewriteEngine On
    RewriteRule "^/forced/(.*)$" "/$1" [PT,H=default-handler]
    <Location "/app">
      Use TsHandler app.ts
      Use TsOption password topsecret
    </Location>
    <Directory "\${FOLDER}/htdocs/pages">
      AllowOverride None
      Options +Includes
      AddOutputFilter INCLUDES .shtml
    </Directory>
    <Location "/undone">
      <If "true">
        Use TsNoHandler
      </If>
    </Location>`,
  handlers: {
    "app.ts": "export const handler = (req) => void req.write('fine');",
    "module.ts": `${gate}export const accessHandler = gate;`,
    "gate.ts": `${gate}export const handler = (req) => gate(req) || -1;
      export { gate as transHandler, gate as headerParserHandler, gate as typeHandler, gate as fixupHandler };`,
  },
  files: {
    "htdocs/tenant/a.txt": "a\n",
    "htdocs/undone/a.txt": "undone\n",
    ...Object.fromEntries(
      names.flatMap((name) =>
        ["secret.txt", "source.ts"].map((file) => [`htdocs/${name}/${file}`, "secret\n"]),
      ),
    ),
  },
});

t.test("GET is refused by each, and let pass by each", async (t) => {
  for (const name of names) {
    t.equal((await apache.request(`/${name}/secret.txt`)).status, 403, name);
    const passed = await apache.request(`/${name}/secret.txt`, { headers: { "x-pass": "yes" } });
    t.match(passed, { status: 200, body: "secret\n" }, name);
  }
});

t.test("RewriteRule [H=send-as-is] of a directory sends no file", async (t) => {
  // mod_asis reads no request, and sends what looks like headers and a body.
  const file = "X-A: b\n\nsecret\n";
  for (const name of names) {
    apache.write(`htdocs/${name}/head.txt`, file);
    for (const lines of ["", "Header set Content-Range x\n"]) {
      const rule = "RewriteEngine On\nRewriteRule ^head\\.txt$ - [H=send-as-is]\n";
      apache.write(`htdocs/${name}/.htaccess`, lines + rule);
      for (const headers of [{}, { range: "bytes=0-" }, { "if-range": '"x"', range: "bytes=0-" }]) {
        const reply = await apache.request(`/${name}/head.txt`, { headers });
        t.equal(reply.status, 416, `${name} ${lines}`);
        t.notMatch(reply.body, "secret", `${name} ${lines}`);
      }
    }
    apache.write(`htdocs/${name}/.htaccess`, "");
    const passed = await apache.request(`/${name}/head.txt`, { headers: { "x-pass": "yes" } });
    t.match(passed, { status: 200, body: file }, name);
  }
});

t.test("RewriteRule [H] of a .htaccess file is refused", async (t) => {
  for (const name of names) {
    for (const handler of ["default-handler", "text/plain", "cgi-script", "server-status"]) {
      apache.write(
        `htdocs/${name}/.htaccess`,
        `RewriteEngine On\nRewriteRule ^(secret\\.txt|source\\.ts)$ - [H=${handler}]\n`,
      );
      for (const file of ["secret.txt", "source.ts"]) {
        const { status, body } = await apache.request(`/${name}/${file}`);
        t.match(body, /^(?!secret)/, `${name}/${file} ${handler}`);
        t.ok(status === 400 || status === 403, `${name}/${file} ${handler}: ${status}`);
      }
    }
    apache.write(`htdocs/${name}/.htaccess`, "");
  }
});

t.test("SetHandler in an <If> of a .htaccess file applies behind the handlers", async (t) => {
  const ifTrue = (lines: string): string => `<If "true">\n${lines}</If>\n`;
  const line = ifTrue("SetHandler default-handler\n");
  const isOpen = { "x-pass": "yes" };
  for (const name of names) {
    const statusOf = async (headers = {}): Promise<number> => {
      const { status, body } = await apache.request(`/${name}/secret.txt`, { headers });
      t.equal(body.includes("secret\n"), status === 200, name);
      return status;
    };
    apache.write(`htdocs/${name}/.htaccess`, line);
    // It can be undone by TsNoHandler in an <If>.
    const isAround = name === "around";
    const expected = isAround ? [400, 400] : [403, 200];
    t.strictSame([await statusOf(), await statusOf(isOpen)], expected, name);
    apache.write("htdocs/tenant/a.shtml", `<!--#include virtual="/${name}/secret.txt" -->`);
    const { body: page } = await apache.request("/tenant/a.shtml");
    t.equal(page.includes("secret"), isAround, `${name}, a part of a page`);
    apache.write(`htdocs/${name}/.htaccess`, ifTrue(line));
    t.strictSame([await statusOf(), await statusOf(isOpen)], [400, 400], `${name}, nested`);
    apache.write(`htdocs/${name}/.htaccess`, "RewriteEngine On\nRewriteRule ^to$ /tenant/a.txt\n");
    t.match(await apache.request(`/${name}/to`), { status: 200, body: "a\n" }, "another path");
    apache.write(`htdocs/${name}/.htaccess`, "");
  }
  t.match(await apache.request("/undone/a.txt"), { status: 200, body: "undone\n" }, "TsNoHandler");
});

t.test("RewriteRule [H] shows no part of a page", async (t) => {
  const isShown = async (name: string, headers = {}): Promise<boolean> => {
    apache.write("htdocs/tenant/a.shtml", `<!--#include virtual="/${name}/secret.txt" -->`);
    const page = await apache.request("/tenant/a.shtml", { headers });
    return page.body.includes("secret");
  };
  for (const name of names) {
    const isOpen = { "x-pass": "yes" };
    for (const handler of ["default-handler", "text/plain", "send-as-is"]) {
      const rule = `RewriteEngine On\nRewriteRule ^secret\\.txt$ - [H=${handler}]\n`;
      apache.write(`htdocs/${name}/.htaccess`, rule);
      t.equal(await isShown(name), false, `${name} ${handler}`);
    }
    apache.write(`htdocs/${name}/.htaccess`, "RewriteEngine On\nRewriteRule ^secret - [F]\n");
    t.equal(await isShown(name, isOpen), false, `${name}: [F] applies`);
    apache.write(`htdocs/${name}/.htaccess`, "");
    t.equal(await isShown(name), false, name);
    t.equal(await isShown(name, isOpen), true, `${name}: permitted`);
  }
});

t.test("a page of mod_include sets no variable for its parts that opens them", async (t) => {
  const foreign = await startRawServer(t, answering("foreign"));
  const show = async (variables: Record<string, string>, path: string): Promise<string> => {
    const lines = Object.entries(variables).map(
      ([name, value]) => `<!--#set var="${name}" value="${value}" -->`,
    );
    apache.write("htdocs/pages/a.shtml", `${lines.join("")}<!--#include virtual="${path}" -->`);
    const [get, post] = [{}, { method: "POST", body: "x" }];
    const pages = [get, post].map((ask) => apache.request("/pages/a.shtml", ask));
    return (await Promise.all(pages)).map(({ body }) => body).join("\n");
  };
  t.match(await show({}, "/app/x"), /fine\nfine/);
  for (const [n, name] of names.entries()) {
    const line = sections[name]?.line ?? "";
    const call = `pass;1;;,${digest(`${line} /${name}/secret.txt`)},;`;
    const sets: Record<string, string>[] = [
      { MOD_TS_BACKEND: "none" },
      { MOD_TS_BACKEND: "default-handler" },
      { MOD_TS_BACKEND: "", DOCUMENT_NAME: "" },
      { MOD_TS_BACKEND: "none", MOD_TS_CALL: call, MOD_TS_CALL_MAC: "0" },
      { MOD_TS_BACKEND: "none", MOD_TS_CONTENT: "1", MOD_TS_PASSES: digest(line) },
      { MOD_TS_CONTENT: "1", MOD_TS_GUARDED: "1", MOD_TS_JUDGED: digest(line) },
      { MOD_TS_STATUS: "404", REDIRECT_STATUS: "404" },
    ];
    for (const path of ["secret.txt", "source.ts"])
      for (const set of sets)
        t.notMatch(await show(set, `/${name}/${path}`), "secret\n", JSON.stringify([name, n, set]));
    t.notMatch(await show({}, `/forced/${name}/secret.txt`), "secret\n", `${name}, forced`);
  }
  const other = { MOD_TS_BACKEND: `proxy:${foreign.url}` };
  for (const path of ["/app/x", "/app/x.ts", "/module/secret.txt", "/fixup/secret.txt"])
    t.notMatch(await show(other, path), "foreign", path);
  t.strictSame(foreign.connections, []);
});

/** Variables that a tenant sets in the hope that they are taken for those of Apache. */
function forgeries(name: string): string[] {
  const { line = "" } = sections[name] ?? {};
  const judged = digest(`${line} /${name}/secret.txt`);
  return [
    `MOD_TS_CALL=pass;1;;,${judged},;`,
    `MOD_TS_CALL=pass;01;;;`,
    "MOD_TS_OTHER_CALL=pass",
    "MOD_TS_BACKEND=none",
    "MOD_TS_BACKEND=default-handler",
    "MOD_TS_CONTENT=1",
    "MOD_TS_PASSES=x",
    "MOD_TS_GUARDED=1",
    "MOD_TS_DECISION=1;x",
    `REDIRECT_MOD_TS_CALL=pass;1;;,${judged},;`,
  ];
}

t.test("no variable of a tenant opens another directory", async (t) => {
  const ways = [
    (path: string) => `RewriteEngine On\nRewriteRule ^go$ ${path}`,
    (path: string) => `FallbackResource ${path}`,
    (path: string) => `DirectoryIndex ${path}`,
    (path: string) => `Action go ${path} virtual\n<Files go>\nSetHandler go\n</Files>`,
  ];
  let count = 0;
  for (const name of names) {
    for (const forgery of forgeries(name)) {
      for (const way of ways) {
        const lines = `SetEnvIf Request_URI . "${forgery}"\n${way(`/${name}/secret.txt`)}\n`;
        apache.write("htdocs/tenant/.htaccess", lines);
        for (const path of ["/tenant/go", "/tenant/"]) {
          const { body } = await apache.request(path);
          if (body.includes("secret\n")) t.fail(`${path}: ${lines}`);
          count += 1;
        }
      }
    }
  }
  t.equal(count, names.length * 10 * 4 * 2);
});
