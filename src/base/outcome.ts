/** Outcomes of handlers. Numbers, as they survive IPC and a second copy of this package. */

/**
 * Handled; in a phase that only inspects the request: no objection. The only outcome that passes
 * access, authen and authz handlers.
 *
 * @example
 * ```ts
 * export function authenHandler(req: ApacheRequest) {
 *   const password = req.getBasicAuthPassword();
 *   return password !== null && isRight(req.user, password) ? OK : HTTP_UNAUTHORIZED;
 * }
 * ```
 */
export const OK = 0;
/**
 * Not handled: the next handler is asked; for content, Apache's file is sent after the last one.
 *
 * @example
 * ```ts
 * export function handler(req: ApacheRequest) {
 *   if (req.method !== "GET" || !req.filename.endsWith(".md")) return DECLINED;
 *   return markdown(req);
 * }
 * ```
 */
export const DECLINED = -1;
/** The response is complete: no later phase runs, the request is still logged. */
export const DONE = -2;

/** `OK`, `DECLINED`, `DONE`, or a final HTTP status code, from 200 to 599. */
export type Outcome = number;
