import { OK, type ApacheRequest, escapeHtml } from "mod-ts";
import { page } from "./layout.ts";
import { tour } from "./tour.ts";

export function handler(req: ApacheRequest) {
  const stations = tour.map(
    ({ title, stops }) => `<h2>${title}</h2>
<ul class="tour">${stops.map(showStop).join("\n")}</ul>`,
  );
  req.contentType = "text/html";
  req.write(
    page(
      "Apache handlers in TypeScript",
      `<p>This page comes from <a href="/source/index.ts"><code>examples/index.ts</code></a>, through Apache. Edit the file and
save it: the page reloads, nothing is restarted. The handlers are configured in
<a href="/source/apache.conf"><code>examples/apache.conf</code></a>.
The <a href="/docs/">documentation</a> is here, too.</p>
${stations.join("\n")}`,
    ),
  );
  return OK;
}

function showStop([address, file, text]: readonly [string, string, string]): string {
  const code = file.startsWith("mod_ts/")
    ? `<code>${file}</code>`
    : `<a class="code" href="/source/${file}"><code>${file}</code></a>`;
  return `<li><a href="${escapeHtml(address)}">${escapeHtml(address)}</a> ${code}<p>${text}</p></li>`;
}
