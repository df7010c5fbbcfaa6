/**
 * The media type of what a published function gives.
 * @module
 */
import { type ApacheRequest, internals } from "../request/request.ts";
import { type Fields, noFields } from "./fields.ts";

/** Names a type unless the author did. */
export function setType(req: ApacheRequest, type: string): void {
  const { response } = req[internals];
  if (response.begun || response.contentType !== undefined) return;
  if (req.headersOut.has("Content-Type") || req.errHeadersOut.has("Content-Type")) return;
  req.contentType = type;
}

/**
 * Whether a text is an HTML document from its first character to its last.
 *
 * Attack: `"Hello " + name` with a name that ends in `</html>`, or `name + " is here"` with one that begins with `<html`: what
 * looks at one end alone makes a page of it, scripts included.
 */
export function isPage(text: string): boolean {
  return (
    /^[\ufeff\s]*<(?:!doctype html|html)[\s>]/i.test(text) &&
    /<\/html\s*>\s*$/i.test(text.slice(-100))
  );
}

/** Attack: a function that gives back what was sent, or what begins with it, would give back a whole page of the client's making. */
export function keepPlain(req: ApacheRequest, text: string, fields: Fields): void {
  if (fields === noFields || !isPage(text)) return;
  const begin = text.trimStart();
  for (const [, value] of fields) {
    if (typeof value !== "string" || value.trim() === "") continue;
    if (begin.startsWith(value.trim())) return setType(req, "text/plain");
  }
}
