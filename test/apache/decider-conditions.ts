/** One file and one program, behind each mechanism: what conditions, ranges and lengths become. */
import { chmodSync, utimesSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";

/** What a section says, by its address. */
const mechanisms = {
  plain: "",
  decider: "Use TsFixupHandler h.ts::plain",
  pass: "Use TsAroundHandler mod_ts/origin",
  module: "Use TsModule quiet.ts",
  filter: "Use TsOutputFilter upper.ts",
} as const;

const time = new Date(1_700_000_000_000);

const text = "0123456789 abcdef\n";

const apache = await startOrigin(t, {
  isWaiting: true,
  modules: ["mod_cgid"],
  handlers: {
    "h.ts": handlerFile("decider.ts"),
    "quiet.ts": "export const fixupHandler = () => 0;",
    "upper.ts": "export const outputFilter = (text: string) => text.toUpperCase();",
  },
  conf: `
    ScriptSock "\${FOLDER}/logs/cgi.sock"
    <Directory "\${FOLDER}/files">
      Require all granted
      Options +ExecCGI
      AddHandler cgi-script .cgi
    </Directory>
    ${Object.entries(mechanisms)
      .map(
        ([name, line]) =>
          `Alias /${name} "\${FOLDER}/files"\n<Location /${name}>\n${line}\n</Location>`,
      )
      .join("\n")}`,
  files: {
    "files/a.txt": text,
    "files/cat.cgi": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\ncat\n",
  },
});
// The ETag of a file that is younger than a second is weak.
utimesSync(join(apache.folder, "files/a.txt"), time, time);
chmodSync(join(apache.folder, "files/cat.cgi"), 0o755);

/** Everything that the table has a column for. */
async function row(name: string): Promise<Record<string, unknown>> {
  const ask = (headers = {}, method = "GET", path = "a.txt", body?: string) =>
    apache.request(`/${name}/${path}`, { method, headers, ...(body !== undefined && { body }) });
  const whole = await ask();
  const { etag = "", "last-modified": modified = "" } = whole.headers;
  const part = await ask({ Range: "bytes=2-4" });
  const beyond = await ask({ Range: "bytes=900-" });
  const other = await ask({ Range: "bytes=2-4", "If-Range": '"other"' });
  const fresh = await ask({ "If-None-Match": etag });
  const head = await ask({}, "HEAD");
  return {
    status: whole.status,
    body: whole.body,
    length: whole.headers["content-length"],
    etag: etag.replace(/".*"/, '""'),
    modified: modified !== "",
    part: [part.status, part.body, part.headers["content-range"]],
    beyond: beyond.status,
    ifRange: [other.status, other.body],
    fresh: [fresh.status, fresh.body, fresh.headers.etag === etag],
    stale: (await ask({ "If-None-Match": '"other"' })).status,
    unmodified: (await ask({ "If-Modified-Since": time.toUTCString() })).status,
    failed: (await ask({ "If-Match": '"other"' })).status,
    head: [head.status, head.body, head.headers["content-length"]],
    missing: (await ask({}, "GET", "none")).status,
    deleted: (await ask({}, "DELETE")).status,
    post: (await ask({}, "POST", "cat.cgi", "posted")).body,
  };
}

t.test("without filters, as Apache alone", async (t) => {
  const plain = await row("plain");
  t.match(plain, {
    status: 200,
    body: text,
    length: String(text.length),
    etag: '""',
    modified: true,
    part: [206, "234", `bytes 2-4/${text.length}`],
    beyond: 416,
    fresh: [304, "", true],
    unmodified: 304,
    failed: 412,
    head: [200, "", String(text.length)],
    missing: 404,
    deleted: 405,
    post: "posted",
  });
  for (const name of ["decider", "pass", "module"]) t.strictSame(await row(name), plain, name);
});

t.test("a filter sends its own representation, whole", async (t) => {
  t.strictSame(await row("filter"), {
    status: 200,
    body: text.toUpperCase(),
    length: String(text.length),
    etag: 'W/""',
    modified: false,
    part: [200, text.toUpperCase(), undefined],
    beyond: 200,
    ifRange: [200, text.toUpperCase()],
    fresh: [304, "", true],
    stale: 200,
    // Without Last-Modified: the filter may be newer than the file.
    unmodified: 200,
    failed: 412,
    head: [200, "", undefined],
    missing: 404,
    deleted: 405,
    post: "POSTED",
  });
});
