/** An ErrorDocument that is ours keeps the status that led there. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

/** What serves the ErrorDocument, with its address and what it must say under a 404. */
const documents: Record<string, [config: string, address: string, body: RegExp, status?: number]> =
  {
    handler: ["Use TsHandler errors.ts", "/handler", /^handler 404$/],
    own: ["Use TsHandler errors.ts::own", "/own", /^own$/, 200],
    returned: ["Use TsHandler errors.ts::returned", "/returned", /410/, 410],
    response: ["Use TsHandler errors.ts::response", "/response", /^response$/],
    teapot: ["Use TsHandler errors.ts::teapot", "/teapot", /^teapot$/, 418],
    chosen: ["Use TsHandler errors.ts::chosen", "/chosen", /^chosen$/, 200],
    file: ["Use TsHandler errors.ts::file", "/file", /^a whole page$/],
    page: ["Use TsHandler mod_ts/pages", "/page/missing.tsp", /^<h1>Not here: 404<\/h1>$/],
    published: ["Use TsHandler mod_ts/publisher", "/published/errors.ts/page", /^published$/],
    cgi: ["Use TsHandler mod_ts/cgi", "/cgi/missing.sh", /^cgi 404$/],
    "cgi-own": ["Use TsHandler mod_ts/cgi", "/cgi-own/missing.sh", /^own$/, 200],
    fetch: ["Use TsHandler fetch.ts", "/fetch", /^fetch$/],
    node: [
      "Use TsHandler mod_ts/node\nUse TsOption mod_ts.node.application node.ts",
      "/node",
      /^node$/,
    ],
    static: ["Use TsHandler declines.ts", "/static/missing.html", /^static$/],
  };

const sections = Object.entries(documents).map(
  ([name, [config, address]]) => `
    <Location "/${name}">\n${config}\n</Location>
    <Location "/of/${name}">\nErrorDocument 404 ${address}\nErrorDocument 401 ${address}\n</Location>
    <Location "/of/${name}/guarded">
      AuthType Basic
      AuthName "Members"
      Use TsAuthenHandler errors.ts
      Require valid-user
    </Location>
    <Location "/of/${name}/refused">
      Use TsHandler errors.ts::refuses
      Use TsErrorDocument
    </Location>`,
);

const apache = await startApache(t, {
  authorizer: true,
  conf: `
    <Directory "\${FOLDER}/htdocs">\nRequire all granted\n</Directory>
    Use TsErrorDocument
    <Location /explain>
      Use TsHandler statuses.ts::explain
    </Location>
    <Location /reads>
      Use TsHandler statuses.ts
      Use TsOption mod_ts.request.body_bytes 100
      ${[400, 413, 415, 500].map((status) => `ErrorDocument ${status} /explain`).join("\n")}
    </Location>
    <Location /reads/typed>
      Use TsHandler statuses.ts::typed
    </Location>
    <Location /reads/broken>
      Use TsHandler statuses.ts::broken
    </Location>
    ${sections.join("")}`,
  files: {
    "htdocs/page/missing.tsp": "<h1>Not here: <%= req.status %></h1>",
    "htdocs/published/errors.ts": handlerFile("error-documents.ts"),
    "htdocs/cgi/missing.sh":
      "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\ncgi %s' \"$REDIRECT_STATUS\"\n",
    "htdocs/cgi-own/missing.sh": "#!/bin/sh\nprintf 'Status: 200 OK\\n\\nown'\n",
    "htdocs/static/missing.html": "static",
  },
  handlers: {
    "errors.ts": handlerFile("error-documents.ts"),
    "fetch.ts": handlerFile("error-documents-fetch.ts"),
    "node.ts": handlerFile("error-documents-node.ts"),
    "declines.ts": handlerFile("declines.ts"),
    "statuses.ts": `import { HttpError, OK, type ApacheRequest } from "mod-ts";
      export const handler = async (req: ApacheRequest) => (await req.json(), OK);
      export const broken = () => { throw new Error("broken"); };
      export const typed = () => { throw new HttpError(415); };
      export const explain = (req: ApacheRequest) => {
        req.write([req.status, req.prev?.method, req.prev?.uri].join(" "));
        return OK;
      };`,
  },
  config: { handlers: ["handlers", "htdocs"] },
});
for (const name of ["cgi", "cgi-own"]) {
  chmodSync(join(apache.folder, "htdocs", name, "missing.sh"), 0o755);
}

for (const [name, [, address, body, own]] of Object.entries(documents)) {
  t.test(`a 404 that ${name} serves`, async (t) => {
    const headers = own === undefined ? { "if-none-match": '"e"', range: "bytes=0-1" } : {};
    for (const path of ["missing.txt", "refused"]) {
      const reply = await apache.request(`/of/${name}/${path}`, { headers });
      t.match(reply, { status: own ?? 404, body }, path);
    }
    t.equal((await apache.request(address)).status, own ?? 200, "asked for by itself");
  });
  if (own) continue;
  t.test(`a 401 that ${name} serves keeps its challenge`, async (t) => {
    const path = `/of/${name}/guarded/a.txt`;
    const challenge = { "www-authenticate": 'Basic realm="Members"' };
    t.match(await apache.request(path), { status: 401, headers: challenge });
    const headers = { authorization: `Basic ${Buffer.from("ann:pass").toString("base64")}` };
    t.equal((await apache.request(path, { headers })).status, 404, "with the password");
  });
}

t.test("errors about a body, and of a handler, have a page by another handler", async (t) => {
  const cases = [
    ["/reads/a", "{", 400],
    ["/reads/a", "x".repeat(500), 413],
    ["/reads/a", "x".repeat(3_000_000), 413],
    ["/reads/typed", "{}", 415],
    ["/reads/broken", "{}", 500],
  ] as const;
  for (const [path, body, status] of cases) {
    const reply = await apache.request(path, { method: "POST", body });
    t.match(reply, { status, body: `${status} POST ${path}` });
  }
});
