/** Output filters of TypeScript beside those of Apache, and beside its cache. */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startOrigin } from "../fixtures/origin.ts";

const filter = "Use TsOutputFilter f.ts";

/** As docs/phases.md says: before the filter, and after it. */
const before = (lines: string): string =>
  `<If "reqenv('MOD_TS_CALL') =~ m#^pass;#">\n${lines}\n</If>`;
const after = (lines: string): string => `<If "-z reqenv('MOD_TS_CALL')">\n${lines}\n</If>`;

const sections: Readonly<Record<string, string>> = {
  deflate: "SetOutputFilter DEFLATE",
  types: "AddOutputFilterByType BROTLI_COMPRESS;DEFLATE text/plain",
  twice: "SetOutputFilter SUBSTITUTE\nSubstitute s/Town/Town+/n",
  "substitute-before": `Substitute s/Town/Town+/n\n${before("SetOutputFilter SUBSTITUTE")}`,
  "substitute-after": `Substitute s/Town/Town+/n\n${after("SetOutputFilter SUBSTITUTE")}`,
  "sed-after": `OutputSed s/Town/Town+/\n${after("AddOutputFilter Sed .txt")}`,
  "command-after": after("SetOutputFilter plus"),
  "include-before": `Options +Includes\n${before("SetOutputFilter INCLUDES")}`,
  cached: "CacheEnable disk\nHeader set Cache-Control max-age=100",
};

const apache = await startOrigin(t, {
  isWaiting: true,
  modules:
    `mod_brotli mod_cache mod_cache_disk mod_cgid mod_deflate mod_ext_filter mod_filter mod_headers
    mod_include mod_sed mod_substitute`.split(/\s+/),
  handlers: {
    "f.ts": `export const outputFilter = (text) =>
      text.replaceAll("Town", "Town-ts") + '<!--#echo var="REQUEST_METHOD" -->';`,
  },
  before: 'ExtFilterDefine plus mode=output cmd="/bin/sed s/Town/Town+/"\n',
  conf: `
    ScriptSock "\${FOLDER}/logs/cgi.sock"
    CacheRoot "\${FOLDER}/cache"
    CacheQuickHandler Off
    <Directory "\${FOLDER}/files">
      Require all granted
      Options +ExecCGI
      AddHandler cgi-script .cgi
    </Directory>
    ${Object.entries(sections)
      .map(
        ([name, lines]) =>
          `Alias /${name} "\${FOLDER}/files"\n<Location /${name}>\n${lines}\n${filter}\n</Location>`,
      )
      .join("\n")}`,
  files: {
    "files/a.txt": "Town\n".repeat(50),
    "files/page.txt": '<!--#echo var="REQUEST_METHOD" --> Town',
    "files/vary.cgi": `#!/bin/sh
printf 'Content-Type: text/plain\\nVary: Cookie\\n\\nTown %s' "$HTTP_COOKIE"
`,
  },
});
chmodSync(join(apache.folder, "files/vary.cgi"), 0o755);
mkdirSync(join(apache.folder, "cache"));
chmodSync(join(apache.folder, "cache"), 0o777);

const tail = '<!--#echo var="REQUEST_METHOD" -->';
const filtered = "Town-ts\n".repeat(50) + tail;

/** The response as a client gets it, decoded. */
async function get(path: string, accepted: string) {
  const response = await fetch(`${apache.url}${path}`, {
    headers: { "Accept-Encoding": accepted },
  });
  return {
    coding: response.headers.get("content-encoding"),
    headers: response.headers,
    text: await response.text(),
  };
}

t.test("compression is done once, after the filter", async (t) => {
  const kinds = [
    ["deflate", "gzip", "gzip"],
    ["deflate", "identity", null],
    ["types", "br, gzip", "br"],
    ["types", "gzip", "gzip"],
  ] as const;
  for (const [name, accepted, coding] of kinds) {
    const reply = await get(`/${name}/a.txt`, accepted);
    t.equal(reply.coding, coding, `${name}, ${accepted}`);
    t.equal(reply.text, filtered);
    t.match(reply.headers.get("vary"), /Accept-Encoding/);
    t.match(reply.headers.get("etag"), /^W\//);
  }
});

t.test("other filters of Apache run before and after, or where the section says", async (t) => {
  const body = async (path: string) => (await apache.request(path)).body.split("\n")[0];
  t.equal(await body("/twice/a.txt"), "Town+-ts+");
  t.equal(await body("/substitute-before/a.txt"), "Town-ts+");
  t.equal(await body("/substitute-after/a.txt"), "Town+-ts");
  t.equal(await body("/sed-after/a.txt"), "Town+-ts");
  t.equal(await body("/command-after/a.txt"), "Town+-ts");
});

t.test("what a filter writes is no program for mod_include, where it stands before", async (t) => {
  const { body } = await apache.request("/include-before/page.txt");
  t.equal(body, `GET Town-ts${tail}`);
});

t.test("mod_cache keeps filtered responses, one for each variant", async (t) => {
  const ask = (cookie: string) =>
    apache.request("/cached/vary.cgi", { headers: { Cookie: cookie } });
  for (const cookie of ["a", "b", "a", "b"])
    t.equal((await ask(cookie)).body, `Town-ts ${cookie}${tail}`);
  t.ok((await ask("a")).headers.age, "from the cache");
  const file = await apache.request("/cached/a.txt");
  const { etag = "" } = file.headers;
  const again = await apache.request("/cached/a.txt", { headers: { "If-None-Match": etag } });
  t.match(again, { status: 304, body: "" });
  const part = await apache.request("/cached/a.txt", { headers: { Range: "bytes=0-6" } });
  t.match(
    part,
    { body: part.status === 206 ? "Town-ts" : filtered },
    "never a part of the original",
  );
});
