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

// Request
export { HeaderTable } from "./request/headers.ts";
export type { ApacheRequest } from "./request/request.ts";

// Errors
export { HttpError, type HttpErrorOptions } from "./http-error.ts";

// Status codes
export * from "./http-status.ts";

// HTML
export { escapeHtml } from "./html.ts";
