/**
 * Conditional requests: RFC 9110, section 13.
 * @module
 */
import { OK } from "../outcome.ts";
import type { FileInfo } from "./file-info.ts";
import type { HeaderTable } from "./headers.ts";

/** What is known of the resource. */
export interface Validators {
  /** Value of `ETag`, quotes included. */
  readonly etag: string | undefined;
  /** Seconds since 1970; undefined when unknown. */
  readonly mtime: number | undefined;
}

/** `OK`, 304 or 412, in the order of precedence of section 13.2.2. */
export function evaluateConditions(
  method: string,
  headers: HeaderTable,
  validators: Validators,
): number {
  const { etag } = validators;
  // The header has whole seconds: a fraction would make the resource newer than the date it was sent with.
  const mtime = validators.mtime === undefined ? undefined : Math.floor(validators.mtime);
  const safe = method === "GET" || method === "HEAD";
  const ifMatch = headers.getAll("If-Match").join(",");
  if (ifMatch) {
    if (!matches(ifMatch, etag, isStrongMatch)) return 412;
  } else {
    const unmodifiedSince = parseDate(headers.get("If-Unmodified-Since"));
    if (unmodifiedSince !== undefined && mtime !== undefined && mtime > unmodifiedSince) return 412;
  }
  const ifNoneMatch = headers.getAll("If-None-Match").join(",");
  if (ifNoneMatch) {
    if (!matches(ifNoneMatch, etag, isWeakMatch)) return OK;
    return safe ? 304 : 412;
  }
  const modifiedSince = safe ? parseDate(headers.get("If-Modified-Since")) : undefined;
  return modifiedSince !== undefined && mtime !== undefined && mtime <= modifiedSince ? 304 : OK;
}

/** A tag of size and time of a file; weak while the file may change again within the second. Undefined without a file. */
export function fileEtag(info: FileInfo, now: number): string | undefined {
  if (info.size === null || info.mtime === null) return undefined;
  const tag = `"${info.size.toString(16)}-${Math.round(info.mtime * 1e6).toString(16)}"`;
  return now - info.mtime > 1 ? tag : `W/${tag}`;
}

/** A tag in quotes, unless it has them. */
export function quoteEtag(etag: string): string {
  return /^(?:W\/)?"[^"]*"$/.test(etag) ? etag : `"${etag.replaceAll('"', "")}"`;
}

function matches(
  list: string,
  etag: string | undefined,
  compare: (a: string, b: string) => boolean,
): boolean {
  if (list.trim() === "*") return true;
  if (etag === undefined) return false;
  return (list.match(/(?:W\/)?"[^"]*"/g) ?? []).some((candidate) => compare(candidate, etag));
}

function isStrongMatch(a: string, b: string): boolean {
  return a === b && !a.startsWith("W/");
}

function isWeakMatch(a: string, b: string): boolean {
  return a.replace(/^W\//, "") === b.replace(/^W\//, "");
}

/**
 * Seconds since 1970; undefined when the header is missing or no date, which means that it is ignored. The oldest of the
 * three formats does not say that it is GMT (RFC 9110, section 5.6.7): it would be read in the zone of this machine.
 */
function parseDate(value = ""): number | undefined {
  const time = Date.parse(/ GMT$/i.test(value) ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}
