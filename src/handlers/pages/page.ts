/** Server pages as responses: rendered as a whole, and sent only on success. */
import { fileURLToPath } from "node:url";
import { OK, type Outcome } from "../../base/outcome.ts";
import { logFailure } from "../../engine/respond.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { ModTsError } from "../../base/errors.ts";
import { HttpError, isHttpError } from "../../base/http-error.ts";
import {
  loadPage,
  locatePage,
  type PageInfo,
  type PageModule,
  PageRendering,
} from "./page-rendering.ts";

/**
 * A server page and its variables; mod_python: `psp.PSP`. It is loaded when it is rendered.
 *
 * @example
 * ```ts
 * return new Page(req, "report.tsp", { rows }).run();
 * return new Page(req, new URL("./report.tsp", import.meta.url), { rows }).run();
 * ```
 */
export class Page {
  readonly #req: ApacheRequest;
  readonly #file: string;
  readonly #vars: Record<string, unknown>;

  /**
   * @param file Path as in a handler reference, absolute path, or `file:` URL.
   * @param vars Seen by the page as `vars`.
   */
  constructor(req: ApacheRequest, file: string | URL, vars: Record<string, unknown> = {}) {
    this.#req = req;
    this.#file = typeof file === "string" && !file.startsWith("file:") ? file : fileURLToPath(file);
    this.#vars = vars;
  }

  /**
   * Returns the page as text: nothing is sent, and its content type and error page do not count.
   * Rejects with the page's error, or a `ModTsError` when it cannot be loaded.
   */
  async render(): Promise<string> {
    const page = await loadPage(this.#req, this.#file);
    return new PageRendering(this.#req).render(page, this.#vars);
  }

  /**
   * Responds with the page, its content type and, if it fails, its error page. The handler returns
   * the result. Rejects like {@link render}.
   */
  async run(): Promise<Outcome> {
    return servePage(this.#req, await loadPage(this.#req, this.#file), this.#vars);
  }
}

const html = "text/html; charset=utf-8";

/**
 * Renders and writes a page. If it fails before anything was sent, its output is dropped, and its
 * error page, if any, is thrown as an `HttpError` with the failure as its cause, which is logged.
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

/** Errors that pages throw on purpose, and errors of the client. */
function isOutcome(error: unknown): boolean {
  return isHttpError(error) || (error instanceof ModTsError && error.status < 500);
}

function locateErrorPage(req: ApacheRequest, { file, errorPage }: PageInfo): string | undefined {
  return errorPage === undefined ? undefined : locatePage(req, file, errorPage);
}

interface PageFailure {
  readonly page: string;
  readonly file: string;
  readonly error: unknown;
}

/** The error to throw: the error page, or the failure itself when that page fails, too. */
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
    // E.g. a redirect.
    if (isHttpError(second)) return second;
    logFailure(new ModTsError("MODTS_ERROR_PAGE_FAILED", { file }, { cause: second }), req);
    return error;
  }
}
