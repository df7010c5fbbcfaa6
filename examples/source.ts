import { readFile } from "node:fs/promises";
import { OK, type ApacheRequest, escapeHtml } from "mod-ts";
import { page } from "./layout.ts";
import { tour } from "./tour.ts";

/**
 * The files that the tour mentions.
 *
 * Attack: a name from the URL that becomes a path reads any file (path traversal). So only listed names are read.
 */
const shown = new Set([
  "apache.conf",
  "index.ts",
  "pages/_layout.tsp",
  "pages/_planet.tsp",
  "pages/planets.ts",
  ...tour.flatMap(({ stops }) => stops.map(([, file]) => file)),
]);

/** Shows examples/hello.ts at /source/hello.ts. */
export async function handler(req: ApacheRequest) {
  const file = req.uri.slice("/source/".length);
  if (!shown.has(file) || file.startsWith("mod_ts/")) return 404;
  const text = await readFile(new URL(file, import.meta.url), "utf8");
  const lines = text.trimEnd().split("\n");
  req.contentType = "text/html";
  req.write(
    page(
      `examples/${file}`,
      `<pre class="listing">${lines.map((line) => `<span>${escapeHtml(line)}</span>`).join("\n")}</pre>`,
    ),
  );
  return OK;
}
