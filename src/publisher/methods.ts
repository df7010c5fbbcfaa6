/**
 * The methods of HTTP that a published function takes: `remove.methods = ["DELETE"]`.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { HttpError } from "../http-error.ts";
import type { ApacheRequest } from "../request/request.ts";

const usual: readonly string[] = ["GET", "HEAD", "POST"];

/**
 * Throws `HttpError` 405, with what is allowed, for any other method.
 * @param own the list of the function; undefined: GET, HEAD and POST
 */
export function requireMethod(req: ApacheRequest, own: unknown): void {
  const allowed = own === undefined ? usual : complete(own);
  if (allowed.includes(req.method)) return;
  req.allowMethods(allowed, true);
  throw new HttpError(405);
}

/** A resource that is to be had can be asked about (RFC 9110, section 9.1). */
function complete(own: unknown): readonly string[] {
  if (!Array.isArray(own) || !own.every((method) => typeof method === "string")) {
    const reason = 'it must be a list, such as ["GET", "PUT"]';
    throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "methods", reason });
  }
  return own.includes("GET") ? [...own, "HEAD"] : own;
}
