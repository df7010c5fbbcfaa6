import { OK, type ApacheRequest } from "mod-ts";
import { page } from "./layout.ts";

const examples = [
  ["/hello", "hello.ts", "The smallest handler: six lines."],
  ["/test-page", "mod_ts/test-page", "What Apache told mod_ts of your request."],
  ["/events", "events.ts", "Server-sent events: the time, once a second."],
  ["/chat", "chat.ts", "A WebSocket through Apache."],
  ["/secure/", "mod_ts/sql", "A plain file behind a password dialog. User john, password secret."],
  ["/reports/", "reports.ts", "A policy: each department sees its own reports. The same john."],
  ["/members/", "mod_ts/login", "A plain file behind a login form. The same john."],
] as const;

export function handler(req: ApacheRequest) {
  const items = examples.map(
    ([address, file, text]) =>
      `<li><a href="${address}">${address}</a> <code>${file}</code><br>${text}</li>`,
  );
  req.contentType = "text/html";
  req.write(
    page(
      "Apache handlers in TypeScript",
      `<p>This page comes from <code>examples/index.ts</code>, through Apache. Edit the file and save it:
the page refreshes itself, nothing is restarted.</p>
<ul class="tour">${items.join("\n")}</ul>
<p>Which handler runs where is said in <code>examples/apache.conf</code>.</p>`,
    ),
  );
  return OK;
}
