import { escapeHtml } from "mod-ts";

/** The frame of every page here. Save this file with another colour: each page that imports it refreshes itself. */
export function page(title: string, body: string): string {
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · mod_ts</title>
<link rel="stylesheet" href="/style.css">
</head><body><main>
<p class="home"><a href="/">mod_ts</a></p>
<h1>${escapeHtml(title)}</h1>
${body}
</main></body></html>
`;
}
