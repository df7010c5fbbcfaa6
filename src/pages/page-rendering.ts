/**
 * One page being rendered for one request: what the code that `translate.ts` makes is called with. Not for handler authors.
 * @module
 */
import { basename, dirname, resolve } from "node:path";
import { ModTsError } from "../errors.ts";
import { redirect, type RedirectOptions } from "../request/redirect.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import type { Session } from "../request/session.ts";
import { escapeValue, valueText } from "./escape-value.ts";
import { type PageInfo, type PageModule, pageExport } from "./page-module.ts";

/** A page that includes itself without an end would take all memory. */
const deepest = 100;

/** In scope in a page as `page`. */
export interface PageTools {
  /** Ends the request with a redirect; what was written is dropped. Never returns. */
  redirect(location: string, options?: RedirectOptions): never;
  /** Names the page that is shown when this one fails, relative to it or, with `/`, to the document root. */
  errorPage(path: string): void;
}

/** What the pages of one rendering share. */
interface Shared {
  errorPage: string | undefined;
  readonly exception: Error | undefined;
}

type Content = Readonly<Record<string, string>>;

const nothing: Content = Object.freeze(Object.create(null) as Content);

/** How a rendering begins. */
export interface RenderingOptions {
  /** For an error page: what went wrong. */
  exception?: Error;
  /** Whether `flush()` may send what there is. */
  isLive?: boolean;
}

/** State of a page while it is rendered; each part that it includes has its own. */
export class PageRendering {
  readonly req: ApacheRequest;
  /** `<%= … %>`. */
  readonly escape: (value: unknown) => string = escapeValue;
  /** `<%- … %>`. */
  readonly text: (value: unknown) => string = valueText;
  /** What fills the slots of a layout, by name. */
  slots: Content = nothing;
  /** What the page of a layout wrote outside of its blocks. */
  body = "";
  readonly #shared: Shared;
  readonly #depth: number;
  #isLive: boolean;
  /** Blocks that are open, and 1 for a layout that is to come: what is written then cannot be sent yet. */
  #held = 0;
  #info: PageInfo | undefined;

  constructor(req: ApacheRequest, options: RenderingOptions = {}, parent?: PageRendering) {
    this.req = req;
    this.#shared = parent ? parent.#shared : { errorPage: undefined, exception: options.exception };
    this.#depth = parent ? parent.#depth + 1 : 0;
    this.#isLive = options.isLive ?? false;
    if (this.#depth > deepest) {
      throw new RangeError(`pages include each other more than ${deepest} levels deep`);
    }
  }

  /** Renders a page with this state. */
  async render<Vars>(page: PageModule<Vars>, vars: Vars): Promise<string> {
    this.#info = page.$info;
    const text: unknown = await page.$render(this, vars);
    if (typeof text === "string") return text;
    throw new TypeError(`${page.$info.file} returned before its end; put the rest into an else`);
  }

  /** `exception` of an error page; undefined in a page that was asked for itself. */
  get exception(): Error | undefined {
    return this.#shared.exception;
  }

  /** The page that a page named with `page.errorPage()`: an absolute path. */
  get errorPage(): string | undefined {
    return this.#shared.errorPage;
  }

  get page(): PageTools {
    return {
      redirect: (location, options) => redirect(this.req, location, options),
      errorPage: (path) => void (this.#shared.errorPage = this.#locate(path)),
    };
  }

  /** Whether `flush()` sends something here. */
  get isLive(): boolean {
    return this.#isLive && this.#held === 0;
  }

  /** Sends text on its way; resolves when there is room for more. */
  async flush(text: string): Promise<void> {
    if (text) this.req.write(text);
    await this.req.flush();
  }

  /** `form`, in a page that names it. */
  form(): ReturnType<ApacheRequest["form"]> {
    return this.req.form();
  }

  /** `session`, in a page that names it. */
  session(): Promise<Session> {
    return this.req.session();
  }

  /** `<%@ include … %>`. */
  renderPart<Vars>(page: PageModule<Vars>, vars: NoInfer<Vars>): Promise<string> {
    return new PageRendering(this.req, {}, this).render(page, vars);
  }

  /** `include(file, vars)`: a page whose name is known only now, relative to this one. */
  async include(file: string, vars: Record<string, unknown> = {}): Promise<string> {
    const page = await loadPage(this.req, this.#locate(file));
    return this.renderPart(page, vars);
  }

  /** The page has a layout: nothing can leave before that. */
  hold(): void {
    this.#held += 1;
  }

  /** A block begins. Throws for a name that no slot of the layout has: what is in it would vanish. */
  open(name: string, layout: { readonly $info: PageInfo }): void {
    const names = slotsOf(layout.$info);
    if (!names.includes(name)) {
      const file = basename(layout.$info.file);
      const known = names.length > 0 ? `it has: ${names.join(", ")}` : "it has none";
      throw new ReferenceError(`${file} has no slot "${name}"; ${known}`);
    }
    this.#held += 1;
  }

  /** A block ends. */
  close(): void {
    this.#held -= 1;
  }

  /** Puts what a page wrote into its layout. Blocks that a layout does not fill anew go on to the layout of the layout. */
  renderLayout<Vars>(
    layout: PageModule<Vars>,
    vars: NoInfer<Vars>,
    body: string,
    blocks: Content,
  ): Promise<string> {
    const rendering = new PageRendering(this.req, { isLive: this.#isLive }, this);
    rendering.body = body;
    rendering.slots = Object.assign(Object.create(null) as Content, this.slots, blocks);
    return rendering.render(layout, vars);
  }

  #locate(path: string): string {
    return locatePage(this.req, this.#info?.file ?? this.req.filename, path);
  }
}

/** Absolute path of a page that another one names: relative to that one, or with `/` to the document root. */
export function locatePage(req: ApacheRequest, from: string, path: string): string {
  return path.startsWith("/")
    ? resolve(req.documentRoot(), `.${path}`)
    : resolve(dirname(from), path);
}

/** Loads a page by a path as in a handler reference. Rejects with a `ModTsError`. */
export async function loadPage(req: ApacheRequest, file: string): Promise<PageModule> {
  const source = req[internals].modules;
  if (!source || !file.endsWith(".tsp")) {
    throw new ModTsError("MODTS_BAD_ARGUMENT", { name: file, reason: "it is no page (.tsp)" });
  }
  const module = await source.load(file, pageExport);
  // A link with the name of a page may lead to another kind of module.
  if (!Object.hasOwn(module.exports, pageExport)) {
    throw new ModTsError("MODTS_MISSING_EXPORT", { module: module.file, name: pageExport });
  }
  return module.exports as unknown as PageModule;
}

/** Names of the slots of a layout and of the layouts around it. */
function slotsOf(info: PageInfo): string[] {
  const names: string[] = [];
  let at: PageInfo | undefined = info;
  for (let depth = 0; at && depth < deepest; depth++) {
    names.push(...at.slots);
    at = at.layout?.() as PageInfo | undefined;
  }
  return names;
}
