import { escapeHtml } from "mod-ts";

/** The frame of every page. Save this file with another title: all open pages that import it reload. */
export function page(title: string, body: string): string {
  return frameStart(title) + body + frameEnd;
}

/** Everything before the body of the page. */
export function frameStart(title: string): string {
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · mod_ts</title>
<link rel="stylesheet" href="/style.css"><link rel="icon" href="data:,">
</head><body>
<header><a class="home" href="/">mod_ts</a><span>Apache handlers in TypeScript</span></header>
<main>
<h1>${escapeHtml(title)}</h1>
`;
}

/** Everything after the body of the page. */
export const frameEnd = `
</main></body></html>
`;

/** A link to the source of an example. */
export function source(file: string): string {
  return `<p class="source">Source: <a href="/source/${file}"><code>examples/${file}</code></a></p>`;
}
