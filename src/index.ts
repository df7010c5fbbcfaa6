/**
 * What a handler module may import: `import { OK, type ApacheRequest } from "mod-ts"`.
 * @module
 */

// Contract
export {
  DECLINED,
  DONE,
  OK,
  type Handler,
  type HandlerResult,
  type Outcome,
  type PhaseName,
  type WebSocketHandler,
} from "./handler.ts";

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
} from "./published.ts";

// Request
export type { ApacheRequest, RequestHandler, RequestState } from "./request/request.ts";
export type { Form, FormValue } from "./request/form.ts";
export type { FormLimits } from "./request/form-limits.ts";
export type { OnFile } from "./request/file-sink.ts";
export type { FormOptions } from "./request/read-form.ts";
export type { ContentOptions } from "./request/serve-content.ts";
export { HeaderTable } from "./request/headers.ts";
export type { Cookies } from "./request/cookies.ts";
export type { CookieAttributes } from "./request/set-cookie.ts";
export type { Session, SessionData, SessionOptions } from "./request/session.ts";
export { CookieKeys } from "./request/cookie-keys.ts";
export {
  encryptedCookie,
  signedCookie,
  type CookieStatus,
  type ProtectedCookie,
  type ProtectedCookieOptions,
} from "./request/protected-cookie.ts";
export { redirect, type RedirectOptions } from "./request/redirect.ts";
export { fetchOrigin } from "./request/fetch-origin.ts";
export type { InternalRedirectOptions } from "./request/internal-redirect.ts";
export type { PreviousRequest } from "./request/exchange.ts";
export type { ApacheConnection } from "./request/connection.ts";
export type { ApacheServer } from "./request/server.ts";
export type { Upload, UploadHead } from "./request/upload.ts";
export type { ApplicationContext, ApplicationEnv } from "./request/application-env.ts";
export type { FileInfo } from "./request/file-info.ts";
export type { ParsedUri } from "./request/uri.ts";
export {
  REMOTE_DOUBLE_REV,
  REMOTE_HOST,
  REMOTE_NAME,
  REMOTE_NOLOOKUP,
} from "./request/connection.ts";
export {
  M_BASELINE_CONTROL,
  M_CHECKIN,
  M_CHECKOUT,
  M_CONNECT,
  M_COPY,
  M_DELETE,
  M_GET,
  M_INVALID,
  M_LABEL,
  M_LOCK,
  M_MERGE,
  M_MKACTIVITY,
  M_MKCOL,
  M_MKWORKSPACE,
  M_MOVE,
  M_OPTIONS,
  M_PATCH,
  M_POST,
  M_PROPFIND,
  M_PROPPATCH,
  M_PUT,
  M_REPORT,
  M_TRACE,
  M_UNCHECKOUT,
  M_UNLOCK,
  M_UPDATE,
  M_VERSION_CONTROL,
} from "./request/methods.ts";

// Pages
export { Page } from "./pages/page.ts";
export type { PageRendering, PageTools } from "./pages/page-rendering.ts";

// Errors
export { HttpError, type HttpErrorOptions } from "./http-error.ts";

// Status codes
export * from "./http-status.ts";

// HTML
export { escapeHtml } from "./html.ts";

// The type of `import.meta.state`.
// oxlint-disable-next-line unicorn/require-module-specifiers
export type {} from "./loader/import-meta.ts";
