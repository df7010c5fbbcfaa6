/**
 * What a page is, once it is translated and loaded.
 * @module
 */
import type { PageRendering } from "./page-rendering.ts";

/** What a page says of itself. */
export interface PageInfo {
  /** Absolute path without symlinks. */
  readonly file: string;
  readonly contentType: string | undefined;
  readonly errorPage: string | undefined;
  /** Whether URLs may go on after the name of the page. */
  readonly pathInfo: boolean;
  /** Names of the slots that it has as a layout. */
  readonly slots: readonly string[];
  /** What its own layout says of itself. */
  readonly layout: (() => unknown) | undefined;
}

/** The exports of a page. */
export interface PageModule<Vars = Record<string, unknown>> {
  readonly $info: PageInfo;
  readonly $render: (rendering: PageRendering, vars: Vars) => Promise<string>;
}

/** The export by which a module is known to be a page. */
export const pageExport = "$render";
