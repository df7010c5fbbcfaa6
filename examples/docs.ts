import { readFile } from "node:fs/promises";
import { type ApacheRequest, DONE, escapeHtml } from "mod-ts";
import { page } from "./layout.ts";

const site = new URL("public/docs/", import.meta.url);
/** What the build of the site writes while it runs. */
const state = new URL(".mod-ts/docs/", import.meta.url);

/** The page for what is missing below /docs/: the whole site, as a rule, because `npm start` is still building it. */
export async function handler(req: ApacheRequest) {
  req.contentType = "text/html";
  req.write((await readOr(new URL("404.html", site))) ?? (await showState(req)));
  return DONE;
}

async function showState(req: ApacheRequest): Promise<string> {
  const log = await readOr(new URL("log", state));
  if ((await readOr(new URL("pid", state))) !== undefined) {
    req.status = 503;
    req.headersOut.set("Refresh", "2");
    return page(
      "The documentation is being built",
      "<p>This takes about a minute at the first start. The page reloads by itself.</p>",
    );
  }
  return page(
    "The documentation has not been built",
    `<p>In a checkout of mod_ts, <code>npm run docs</code> builds it. It needs the npm registry, once.
The same pages are the Markdown files in <code>docs/</code>.</p>
${log ? `<h2>Output of the last build</h2><pre class="listing">${escapeHtml(log)}</pre>` : ""}`,
  );
}

async function readOr(file: URL): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch {
    return undefined;
  }
}
