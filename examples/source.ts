import { readFile } from "node:fs/promises";
import { OK, type ApacheRequest, escapeHtml } from "mod-ts";
import { page } from "./layout.ts";
import { tour } from "./tour.ts";

/** Only what the tour speaks of: a name from the address must never become a path by itself. */
const shown = new Set([
  "apache.conf",
  "index.ts",
  "pages/_layout.tsp",
  "pages/_planet.tsp",
  "pages/planets.ts",
  ...tour.flatMap(({ stops }) => stops.map(([, file]) => file)),
]);

/** /source/hello.ts shows examples/hello.ts. */
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
