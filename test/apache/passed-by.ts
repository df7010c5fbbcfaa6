/**
 * Nothing passes by the handlers of a section: `RewriteRule [H]`, and what an author of
 * `.htaccess` files elsewhere can do by variables and redirects inside Apache.
 */
import t from "tap";
import { digest } from "../../src/engine/changes.ts";
import { startOrigin } from "../fixtures/origin.ts";

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
  modules: ["mod_actions", "mod_asis"],
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
    </Directory>`,
  handlers: {
    "module.ts": `${gate}export const accessHandler = gate;`,
    "gate.ts": `${gate}export const handler = (req) => gate(req) || -1;
      export { gate as transHandler, gate as headerParserHandler, gate as typeHandler, gate as fixupHandler };`,
  },
  files: {
    "htdocs/tenant/a.txt": "a\n",
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
