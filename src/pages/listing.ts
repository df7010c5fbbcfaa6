/**
 * A page and the code it becomes, side by side, for whoever debugs.
 * @module
 */
import { readFile, stat } from "node:fs/promises";
import { escapeHtml, htmlPage } from "../html.ts";
import { OK, type Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";
import { loadPage } from "./page-rendering.ts";
import { translatePage } from "./translate.ts";

/** Answers with the listing of a page. Gives `OK`, or 404 when there is no such page. */
export async function showListing(req: ApacheRequest, file: string): Promise<Outcome> {
  const stats = await stat(file).catch(() => undefined);
  if (!stats?.isFile()) return 404;
  // Loading it is what refuses a file outside of the folders for handlers. A page that does not load shows its mistake.
  await loadPage(req, file);
  const text = await readFile(file, "utf8");
  req.contentType = "text/html; charset=utf-8";
  req.noCache = true;
  req.write(htmlPage(file, listing(file, text, translatePage(file, text).code)));
  return OK;
}

/** The page and its code, line by line. */
export function listing(file: string, page: string, code: string): string {
  const left = page.split(/\r?\n/);
  const right = code.split("\n");
  const rows = left.map((line, index) => row(index + 1, line, right[index] ?? ""));
  return [
    `<style>${css}</style>`,
    `<h1>${escapeHtml(file)}</h1>`,
    "<p class=soft>Each line of the page, and the TypeScript that it becomes. You see this because this location has <code>Use TsDebug On</code>.</p>",
    `<table class=listing>\n<thead><tr><th>line</th><th>page</th><th>code</th></tr></thead>\n<tbody>\n${rows.join("\n")}\n</tbody></table>`,
  ].join("\n");
}

function row(line: number, left: string, right: string): string {
  const cells = [left, right].map((text) => `<td>${escapeHtml(text)}</td>`).join("");
  return `<tr id=L${line}><th scope=row>${line}</th>${cells}</tr>`;
}

/** On top of the look of all pages of ours: two wide columns, one below the other where there is no room. */
const css = `
main{max-width:none}
.listing th{width:3.5rem;text-align:right}
.listing thead th{text-align:left}
.listing thead th:not(:first-child){width:auto}
.listing td{white-space:pre-wrap;tab-size:4}
.listing td:last-child{color:var(--soft)}
@media(max-width:48rem){.listing,.listing tbody,.listing tr{display:block}.listing thead{display:none}.listing tr{display:grid;grid-template-columns:3rem 1fr}.listing th{width:auto}.listing td:last-child{grid-column:2;border-top:0}}
`;
