/**
 * `mod_ts/pages`: server pages, `.tsp` files, TypeScript in HTML. Other extensions are declined, so
 * a whole directory can be mapped. Pages whose names begin with `_` are parts, never served
 * themselves.
 */
import { basename, extname, join } from "node:path";
import { readFile, stat } from "node:fs/promises";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { DECLINED, OK, type Outcome } from "../../base/outcome.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { escapeHtml, htmlPage } from "../../base/html.ts";
import { version } from "../../base/version.ts";
import { loadPage } from "./page-rendering.ts";
import { servePage } from "./page.ts";
import { translatePage } from "./translate.ts";

const allowed = ["GET", "HEAD", "POST"];

/** @param isFile whether there is a file; loading a page then asks the file system no second time */
export function createPages(isFile: IsFile): { handler(req: ApacheRequest): Promise<Outcome> } {
  return { handler: (req) => handle(req, isFile) };
}

type IsFile = (path: string) => boolean;

async function handle(req: ApacheRequest, isFile: IsFile): Promise<Outcome> {
  const extension = extname(req.filename);
  if (extension === ".tsp_") return list(req);
  if (extension !== ".tsp") return DECLINED;
  const refusal = refuse(req, isFile);
  if (refusal !== undefined) return refusal;
  const page = await loadPage(req, req.filename);
  // Extra path after a file names another resource (httpd directive AcceptPathInfo).
  if (req.pathInfo && !page.$info.pathInfo) return 404;
  return servePage(req, page);
}

function refuse(req: ApacheRequest, isFile: IsFile): Outcome | undefined {
  if (basename(req.filename).startsWith("_")) return 404;
  // The loader would go on serving a deleted page.
  if (!isFile(req.filename)) return 404;
  if (allowed.includes(req.method)) return undefined;
  req.allowMethods(allowed);
  return 405;
}

/** mod_python's `.psp_`. Attack: page sources may hold secrets, so only with `Use TsDebug On`. */
async function list(req: ApacheRequest): Promise<Outcome> {
  if (!req[internals].context.debug || req.pathInfo) return 404;
  return showListing(req, req.filename.slice(0, -1));
}

async function showListing(req: ApacheRequest, file: string): Promise<Outcome> {
  const stats = await stat(file).catch(() => undefined);
  if (!stats?.isFile()) return 404;
  // Loading refuses files outside of the handler directories; a broken page shows its error.
  await loadPage(req, file);
  const text = await readFile(file, "utf8");
  req.contentType = "text/html; charset=utf-8";
  req.noCache = true;
  req.write(htmlPage(file, listing(file, text, translatePage(file, text).code)));
  return OK;
}

/** Page and generated code, line by line. */
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

const css = `
main{max-width:none}
.listing th{width:3.5rem;text-align:right}
.listing thead th{text-align:left}
.listing thead th:not(:first-child){width:auto}
.listing td{white-space:pre-wrap;tab-size:4}
.listing td:last-child{color:var(--soft)}
@media(max-width:48rem){.listing,.listing tbody,.listing tr{display:block}.listing thead{display:none}.listing tr{display:grid;grid-template-columns:3rem 1fr}.listing th{width:auto}.listing td:last-child{grid-column:2;border-top:0}}
`;

/**
 * Digest of everything that compiled pages depend on: versions of mod_ts, compiler and Node, and
 * this directory, as a checkout changes without a new version.
 */
export function pagesFingerprint(): string {
  const manifest = createRequire(import.meta.url)("oxc-transform/package.json") as unknown;
  const hash = createHash("sha256").update(
    `${version} ${(manifest as { version: string }).version} ${process.version}`,
  );
  const directory = import.meta.dirname;
  for (const name of readdirSync(directory).toSorted())
    hash.update(readFileSync(join(directory, name)));
  return hash.digest("hex");
}
