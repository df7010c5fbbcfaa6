/**
 * Public API for handlers, pages and published functions.
 *
 * @example
 * ```ts
 * import { OK, type ApacheRequest } from "mod-ts";
 *
 * export function handler(req: ApacheRequest) {
 *   req.contentType = "text/plain";
 *   req.write("Hello from mod_ts!");
 *   return OK;
 * }
 * ```
 * @module mod-ts
 */

// Contract
export {
  DECLINED,
  DONE,
  OK,
  type Handler,
  type HandlerResult,
  type Job,
  type JobContext,
  type Outcome,
  type PhaseName,
  type WebSocketHandler,
} from "./engine/handler.ts";

export type { Connection, ConnectionHandler } from "./engine/connection.ts";

// Published modules
export {
  published,
  type Access,
  type Auth,
  type JsonSchema,
  type ParametersSchema,
  type PublishedFunction,
  type StandardIssue,
  type StandardResult,
  type StandardSchema,
} from "./handlers/publisher/published.ts";

// Request
export type { ApacheRequest, RequestHandler, RequestState } from "./request/request.ts";
export type { Form, FormValue } from "./request/body/form.ts";
export type { FormLimits } from "./request/body/form-limits.ts";
export type { OnFile } from "./request/body/upload.ts";
export type { FormOptions } from "./request/body/read-form.ts";
export type { ContentOptions } from "./request/response/serve-content.ts";
export { HeaderTable } from "./request/headers.ts";
export type { Cookies } from "./request/cookies/cookies.ts";
export type { CookieAttributes } from "./request/cookies/set-cookie.ts";
export type { Session, SessionData, SessionOptions } from "./request/session.ts";
export { CookieKeys } from "./request/cookies/cookie-keys.ts";
export {
  encryptedCookie,
  signedCookie,
  type CookieStatus,
  type ProtectedCookie,
  type ProtectedCookieOptions,
} from "./request/cookies/protected-cookie.ts";
export { redirect, type RedirectOptions } from "./request/response/redirect.ts";
export { fetchOrigin, type InternalRedirectOptions, type SubRequest } from "./request/origin.ts";
export type { MainRequest, PreviousRequest } from "./request/exchange.ts";
export type { ApacheConnection } from "./request/connection.ts";
export type { ApacheServer } from "./request/connection.ts";
export type { Upload, UploadHead } from "./request/body/upload.ts";
export type { ApplicationContext, ApplicationEnv } from "./handlers/applications/fetch.ts";
export type { FileInfo } from "./request/file-info.ts";
export type { ParsedUri } from "./request/uri.ts";
export {
  REMOTE_DOUBLE_REV,
  REMOTE_HOST,
  REMOTE_NAME,
  REMOTE_NOLOOKUP,
} from "./request/connection.ts";
export * from "./request/methods.ts";

// Filters
export {
  chunkFilter,
  streamFilter,
  textFilter,
  type ChunkChange,
  type Filter,
  type FilteredMessage,
  type TextChange,
  type TextFilterOptions,
} from "./request/filters/filter.ts";
export {
  htmlFilter,
  type HtmlElement,
  type HtmlInsertion,
  type HtmlRules,
} from "./request/filters/html-filter.ts";

// Pages
export { Page } from "./handlers/pages/page.ts";
export type { PageRendering, PageTools } from "./handlers/pages/page-rendering.ts";

// Errors
export { HttpError, type HttpErrorOptions } from "./base/http-error.ts";

// Status codes
export * from "./base/http-status.ts";

// HTML
export { escapeHtml } from "./base/html.ts";

// The type of `import.meta.state`.
// oxlint-disable-next-line unicorn/require-module-specifiers
export type {} from "./loader/import-meta.ts";
