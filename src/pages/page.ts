/**
 * A server page, rendered by a handler.
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";
import { loadPage, PageRendering } from "./page-rendering.ts";
import { servePage } from "./serve-page.ts";

/**
 * A server page and the variables it gets; mod_python: `psp.PSP`. It is loaded, fresh, when it is rendered.
 *
 * @example
 * return new Page(req, "report.tsp", { rows }).run();
 * return new Page(req, new URL("./report.tsp", import.meta.url), { rows }).run();
 */
export class Page {
  readonly #req: ApacheRequest;
  readonly #file: string;
  readonly #vars: Record<string, unknown>;

  /**
   * @param file A path as in a handler reference (relative to the folders for handlers), an absolute one, or a `file:` URL.
   * @param vars What the page sees as `vars`.
   */
  constructor(req: ApacheRequest, file: string | URL, vars: Record<string, unknown> = {}) {
    this.#req = req;
    this.#file = typeof file === "string" && !file.startsWith("file:") ? file : fileURLToPath(file);
    this.#vars = vars;
  }

  /**
   * The page as text; nothing is sent, `flush()` in it does nothing, and its content type and error page are left aside.
   * Rejects with what the page throws, or with a `ModTsError` when it cannot be loaded.
   */
  async render(): Promise<string> {
    const page = await loadPage(this.#req, this.#file);
    return new PageRendering(this.#req).render(page, this.#vars);
  }

  /**
   * Answers the request with the page, its content type and, if it fails, its error page. What it gives is for the handler
   * to return. Rejects like {@link render}.
   */
  async run(): Promise<Outcome> {
    return servePage(this.#req, await loadPage(this.#req, this.#file), this.#vars);
  }
}
