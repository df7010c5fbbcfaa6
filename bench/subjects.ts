/** The site that `npm run bench` asks of mod_ts, with a bare `node:http` server beside it. */
import type { StageOptions } from "./stage.ts";

const conf = `${["bare", "nginx"]
  .map(
    (name) => `<Proxy "unix:\${FOLDER}/run/${name}.sock|http://${name}" enablereuse=on>
</Proxy>
<Location "/${name}">
    SetHandler "proxy:unix:\${FOLDER}/run/${name}.sock|http://${name}"
</Location>
`,
  )
  .join("")}
${["hello", "json", "counter", "large"]
  .map((name) => `<Location "/${name}">\n    Use TsHandler ${name}.ts\n</Location>\n`)
  .join("")}
Alias "/site" "\${FOLDER}/handlers"
<Directory "\${FOLDER}/handlers">
    Require all granted
    Use TsHandler mod_ts/publisher
    <Files "*.tsp">
        Use TsHandler mod_ts/pages
    </Files>
</Directory>`;

const files: StageOptions["files"] = {
  "htdocs/hello.txt": "Hello from mod_ts!\n",
  "large.txt": "x".repeat(1 << 20),
  "handlers/hello.ts": helloHandler("Hello from mod_ts!\n"),
  "handlers/published.ts": `export const hello = () => "Hello from mod_ts!\\n";
`,
  "handlers/json.ts": `export function handler() {
  const items = [];
  for (let n = 0; n < 174; n++) items.push({ id: n, name: "Name " + n, tags: ["a", "b"], amount: (n * 37) % 1000 });
  return Response.json(items);
}
`,
  "handlers/counter.ts": `import { OK, type ApacheRequest } from "mod-ts";
export async function handler(req: ApacheRequest) {
  const session = await req.session();
  const hits = Number(session.data["hits"] ?? 0) + 1;
  session.data["hits"] = hits;
  req.contentType = "text/plain";
  req.write(String(hits));
  return OK;
}
`,
  "handlers/large.ts": `import { OK, type ApacheRequest } from "mod-ts";
import { join } from "node:path";
const body = Buffer.alloc(1 << 20, "x");
const file = join(import.meta.dirname, "../large.txt");
export async function handler(req: ApacheRequest) {
  if (req.args === "response") return new Response(body, { headers: { "Content-Type": "text/plain" } });
  req.contentType = "text/plain";
  if (req.args === "file") await req.sendFile(file);
  else if (req.args === "buffer") req.write(body);
  else {
    for (let at = 0; at < body.length; at += 65536) {
      req.write(body.subarray(at, at + 65536));
      await req.flush();
    }
  }
  return OK;
}
`,
  "handlers/page.tsp": `<!DOCTYPE html>
<html><head><title>Rows</title></head><body><table>
<% for (let n = 0; n < 200; n++) { %>
<tr><td><%= n %></td><td><%= "Name " + n %></td><td><%= "Town <" + (n % 17) + ">" %></td><td><%= n * 37 % 1000 %></td></tr>
<% } %>
</table></body></html>
`,
};

/** For `onStage`: two workers, as others too have both cores. */
export const site: Pick<StageOptions, "conf" | "files" | "config"> = {
  conf,
  files,
  config: { pools: { main: { workers: 2 } } },
};

/** What is measured, in its order: the name, and the path below the site. */
export const ownPaths: Readonly<Record<string, string>> = {
  hello: "hello",
  "published hello": "site/published.ts/hello",
  page: "site/page.tsp",
  json: "json",
  counter: "counter",
  "1 MB, Buffer": "large?buffer",
  "1 MB, 64 KB writes": "large?writes",
  "1 MB, Response": "large?response",
  "1 MB, sendFile": "large?file",
};

export function helloHandler(text: string): string {
  return `import { OK, type ApacheRequest } from "mod-ts";
export function handler(req: ApacheRequest) {
  req.contentType = "text/plain";
  req.write(${JSON.stringify(text)});
  return OK;
}
`;
}
