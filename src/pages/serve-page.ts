/**
 * A page as the answer to a request: rendered as a whole, and sent only when that went well.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { HttpError, isHttpError } from "../http-error.ts";
import { log } from "../log.ts";
import { OK, type Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";
import type { PageInfo, PageModule } from "./page-module.ts";
import { loadPage, locatePage, PageRendering } from "./page-rendering.ts";

const html = "text/html; charset=utf-8";

/**
 * Renders a page and writes it. A page that fails before it has sent anything is dropped; its error page, if it named one, is
 * thrown as an `HttpError` with the failure as its cause, which gets it into the log.
 */
export async function servePage(
  req: ApacheRequest,
  page: PageModule,
  vars: Record<string, unknown> = {},
): Promise<Outcome> {
  req.contentType = page.$info.contentType ?? html;
  const rendering = new PageRendering(req, { isLive: true });
  try {
    const text = await rendering.render(page, vars);
    if (text) req.write(text);
    return OK;
  } catch (error) {
    if (isOutcome(error) || req.headersSent) throw error;
    const file = rendering.errorPage ?? locateErrorPage(req, page.$info);
    if (file === undefined) throw error;
    throw await renderErrorPage(req, { page: page.$info.file, file, error });
  }
}

/** What a page throws on purpose, and what the client did wrong: no failure of the page. */
function isOutcome(error: unknown): boolean {
  return isHttpError(error) || (error instanceof ModTsError && error.status < 500);
}

function locateErrorPage(req: ApacheRequest, { file, errorPage }: PageInfo): string | undefined {
  return errorPage === undefined ? undefined : locatePage(req, file, errorPage);
}

interface PageFailure {
  readonly page: string;
  /** The error page. */
  readonly file: string;
  readonly error: unknown;
}

/** Gives what is to be thrown: the error page, or the failure itself when that page fails as well. */
async function renderErrorPage(req: ApacheRequest, failure: PageFailure): Promise<unknown> {
  const { page, file, error } = failure;
  const exception = error instanceof Error ? error : new Error(String(error), { cause: error });
  try {
    req.status = 500;
    const module = await loadPage(req, file);
    const body = await new PageRendering(req, { exception }).render(module, {});
    const cause = new ModTsError("MODTS_PAGE_FAILED", { page, file }, { cause: error });
    const headers = { "Content-Type": module.$info.contentType ?? html };
    return new HttpError(Math.max(req.status, 500), { body, headers, cause });
  } catch (second) {
    // A redirect, say.
    if (isHttpError(second)) return second;
    logFailedErrorPage(req, file, second);
    return error;
  }
}

function logFailedErrorPage(req: ApacheRequest, file: string, cause: unknown): void {
  const { code, level, message } = new ModTsError("MODTS_ERROR_PAGE_FAILED", { file });
  const client = `${req.useragentIp}:${req.connection.remotePort}`;
  log(level, message, { code, client, uniqueId: req.uniqueId, error: cause });
}
