/**
 * `mod_ts/pages`: server pages, `.tsp` files: TypeScript in HTML.
 *
 * The page is the file that Apache found. Files with another extension are declined, so a whole directory can be mapped. A page whose
 * name begins with `_` is a part of others and is never asked for itself.
 * @module
 */
import { basename, extname } from "node:path";
import { DECLINED, type Outcome } from "../outcome.ts";
import { showListing } from "../pages/listing.ts";
import { loadPage } from "../pages/page-rendering.ts";
import { servePage } from "../pages/serve-page.ts";
import { type ApacheRequest, internals } from "../request/request.ts";

const allowed = ["GET", "HEAD", "POST"];

/** Makes the module that the reference `mod_ts/pages` stands for. */
export function createPages(): { handler(req: ApacheRequest): Promise<Outcome> } {
  return { handler: answer };
}

async function answer(req: ApacheRequest): Promise<Outcome> {
  const extension = extname(req.filename);
  if (extension === ".tsp_") return list(req);
  if (extension !== ".tsp") return DECLINED;
  const refusal = refuse(req);
  if (refusal !== undefined) return refusal;
  const page = await loadPage(req, req.filename);
  // Extra path after a file means another resource than the file (httpd directive AcceptPathInfo).
  if (req.pathInfo && !page.$info.pathInfo) return 404;
  return servePage(req, page);
}

function refuse(req: ApacheRequest): Outcome | undefined {
  if (basename(req.filename).startsWith("_")) return 404;
  // A version that is loaded would go on serving for a page that was deleted.
  if (req.finfo.filetype !== "regular") return 404;
  if (allowed.includes(req.method)) return undefined;
  req.allowMethods(allowed);
  return 405;
}

/** mod_python's `.psp_`. Attack: the source of a page may hold secrets, so only where `Use TsDebug On` stands. */
async function list(req: ApacheRequest): Promise<Outcome> {
  if (!req[internals].debug || req.pathInfo) return 404;
  return showListing(req, req.filename.slice(0, -1));
}
