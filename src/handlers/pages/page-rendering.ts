/** Runtime of one page in one request, called by the code that `translate.ts` generates. */
import { basename, dirname, resolve } from "node:path";
import { ModTsError } from "../../base/errors.ts";
import { missingExport } from "../../engine/phase-runner.ts";
import { redirect, type RedirectOptions } from "../../request/response/redirect.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { escapeHtml } from "../../base/html.ts";
import { type Dictionary, emptyDictionary } from "../../base/options.ts";
import { isPromiseLike } from "../../base/attempt.ts";

/** Attack or mistake: a page that includes itself forever takes all memory. */
const maxDepth = 100;

/** In scope in a page as `page`. */
export interface PageTools {
  /** Ends the request with a redirect; what was written is dropped. Never returns. */
  redirect(location: string, options?: RedirectOptions): never;
  /** The page shown when this one fails, relative to it or, with `/`, to the document root. */
  errorPage(path: string): void;
}

interface Shared {
  errorPage: string | undefined;
  readonly exception: Error | undefined;
}

export interface RenderingOptions {
  /** For an error page: the failure. */
  exception?: Error;
  /** Whether `flush()` sends the output so far. */
  isLive?: boolean;
}

/** State of a page while it is rendered; included parts have their own. */
export class PageRendering {
  readonly req: ApacheRequest;
  /** `<%= … %>`. */
  readonly escape: (value: unknown) => string = escapeValue;
  /** `<%- … %>`. */
  readonly text: (value: unknown) => string = valueText;
  /** Content of the slots of a layout, by name. */
  slots: Dictionary = emptyDictionary;
  /** Output of a page with a layout outside of its blocks. */
  body = "";
  readonly #shared: Shared;
  readonly #depth: number;
  #isLive: boolean;
  /** Open blocks, plus 1 for a layout to come: their output cannot be sent yet. */
  #held = 0;
  #info: PageInfo | undefined;

  constructor(req: ApacheRequest, options: RenderingOptions = {}, parent?: PageRendering) {
    this.req = req;
    this.#shared = parent ? parent.#shared : { errorPage: undefined, exception: options.exception };
    this.#depth = parent ? parent.#depth + 1 : 0;
    this.#isLive = options.isLive ?? false;
    if (this.#depth > maxDepth) {
      throw new RangeError(`pages include each other more than ${maxDepth} levels deep`);
    }
  }

  async render<Vars>(page: PageModule<Vars>, vars: Vars): Promise<string> {
    this.#info = page.$info;
    const text: unknown = await page.$render(this, vars);
    if (typeof text === "string") return text;
    throw new TypeError(`${page.$info.file} returned before its end; put the rest into an else`);
  }

  /** Failure that an error page is for; undefined otherwise. */
  get exception(): Error | undefined {
    return this.#shared.exception;
  }

  /** Absolute path set by `page.errorPage()`. */
  get errorPage(): string | undefined {
    return this.#shared.errorPage;
  }

  get page(): PageTools {
    return {
      redirect: (location, options) => redirect(this.req, location, options),
      errorPage: (path) => void (this.#shared.errorPage = this.#locate(path)),
    };
  }

  get isLive(): boolean {
    return this.#isLive && this.#held === 0;
  }

  /** Resolves when there is room for more. */
  async flush(text: string): Promise<void> {
    if (text) this.req.write(text);
    await this.req.flush();
  }

  /** `<%@ include … %>`. */
  renderPart<Vars>(page: PageModule<Vars>, vars: NoInfer<Vars>): Promise<string> {
    return new PageRendering(this.req, {}, this).render(page, vars);
  }

  /** `include(file, vars)`: a page named at run time, relative to this one. */
  async include(file: string, vars: Record<string, unknown> = {}): Promise<string> {
    const page = await loadPage(this.req, this.#locate(file));
    return this.renderPart(page, vars);
  }

  /** The page has a layout: nothing can be sent before it. */
  hold(): void {
    this.#held += 1;
  }

  /** Throws for a name that no slot of the layout has: the content would be lost. */
  open(name: string, layout: { readonly $info: PageInfo }): void {
    const names = slotsOf(layout.$info);
    if (!names.includes(name)) {
      const file = basename(layout.$info.file);
      const known = names.length > 0 ? `its slots: ${names.join(", ")}` : "the page has none";
      throw new ReferenceError(`${file} has no slot "${name}"; ${known}`);
    }
    this.#held += 1;
  }

  close(): void {
    this.#held -= 1;
  }

  /** Renders the layout. Blocks that it does not fill pass to its own layout. */
  renderLayout<Vars>(
    layout: PageModule<Vars>,
    vars: NoInfer<Vars>,
    body: string,
    blocks: Dictionary,
  ): Promise<string> {
    const rendering = new PageRendering(this.req, { isLive: this.#isLive }, this);
    rendering.body = body;
    rendering.slots = Object.assign(Object.create(null) as Dictionary, this.slots, blocks);
    return rendering.render(layout, vars);
  }

  #locate(path: string): string {
    return locatePage(this.req, this.#info?.file ?? this.req.filename, path);
  }
}

/** Absolute path of a page named in another: relative to it, or with `/` to the document root. */
export function locatePage(req: ApacheRequest, from: string, path: string): string {
  return path.startsWith("/")
    ? resolve(req.documentRoot(), `.${path}`)
    : resolve(dirname(from), path);
}

/** Loads a page by a path as in a handler reference. Rejects with a `ModTsError`. */
export async function loadPage(req: ApacheRequest, file: string): Promise<PageModule> {
  const source = req[internals].modules;
  if (!source || !file.endsWith(".tsp")) {
    throw new ModTsError("MODTS_BAD_ARGUMENT", { name: file, reason: "not a page (.tsp)" });
  }
  const module = await source.load(file, pageExport);
  // A link named like a page may lead to another kind of module.
  if (!Object.hasOwn(module.exports, pageExport)) {
    throw missingExport(module, pageExport);
  }
  return module.exports as unknown as PageModule;
}

/** Names of the slots of a layout and of the layouts around it. */
function slotsOf(info: PageInfo): string[] {
  const names: string[] = [];
  let at: PageInfo | undefined = info;
  for (let depth = 0; at && depth < maxDepth; depth++) {
    names.push(...at.slots);
    at = at.layout?.() as PageInfo | undefined;
  }
  return names;
}

export interface PageInfo {
  /** Absolute path without symlinks. */
  readonly file: string;
  readonly contentType: string | undefined;
  readonly errorPage: string | undefined;
  /** Whether URLs may continue after the name of the page. */
  readonly pathInfo: boolean;
  /** Names of its slots, as a layout. */
  readonly slots: readonly string[];
  /** Description of its own layout. */
  readonly layout: (() => unknown) | undefined;
}

export interface PageModule<Vars = Record<string, unknown>> {
  readonly $info: PageInfo;
  readonly $render: (rendering: PageRendering, vars: Vars) => Promise<string>;
}

/** Pages are recognized by this export. */
const pageExport = "$render";

/** `<%= value %>`: safe in element content and quoted attribute values. Null is empty. */
export function escapeValue(value: unknown): string {
  if (typeof value === "number") return `${value}`;
  return escapeHtml(valueText(value));
}

/** `<%- value %>`: unescaped. Null is empty; a promise without `await` is a mistake. */
export function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  if (isPromiseLike(value)) throw new TypeError("this value is a promise; write await before it");
  return String(value);
}
