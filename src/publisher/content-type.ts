/**
 * The media type of what a published function gives.
 * @module
 */
import { readFileSync } from "node:fs";
import { type ApacheRequest, internals } from "../request/request.ts";
import type { Upload } from "../request/upload.ts";
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

/**
 * Attack: a function that gives back what was sent, a file as well, or what begins with it, would give back a whole page of the client's
 * making, for which a form on another site is enough.
 */
export function keepPlain(req: ApacheRequest, text: string, fields: Fields): void {
  if (fields === noFields || !isPage(text)) return;
  const begin = text.trimStart();
  for (const [, value] of fields) {
    const sent = sentText(value, text).trim();
    if (sent !== "" && begin.startsWith(sent)) return setType(req, "text/plain");
  }
}

/** A field as text; of a file that is much longer than what it is compared with, nothing. */
function sentText(value: unknown, { length }: string): string {
  if (typeof value === "string") return value;
  const { path, size = Infinity } = Object(value) as Partial<Upload>;
  if (path === undefined || size > 4 * length + mebibyte) return "";
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const mebibyte = 1024 ** 2;
