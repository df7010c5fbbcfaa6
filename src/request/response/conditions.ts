/** Conditional and range requests: RFC 9110, sections 13 and 14. */
import { OK } from "../../base/outcome.ts";
import type { FileInfo } from "../file-info.ts";
import type { HeaderTable } from "../headers.ts";
import type { FileRange } from "./send-file.ts";

export interface Validators {
  /** With quotes. */
  readonly etag: string | undefined;
  /** Seconds since 1970. */
  readonly mtime: number | undefined;
}

/** `OK`, 304 or 412, in the order of precedence of section 13.2.2. */
export function evaluateConditions(
  method: string,
  headers: HeaderTable,
  validators: Validators,
): number {
  const { etag } = validators;
  // Whole seconds, as in the header: a fraction would make the resource newer.
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

/** A tag of size and time; weak while the file may change again within the second. */
export function fileEtag(info: FileInfo, now: number): string | undefined {
  if (info.size === null || info.mtime === null) return undefined;
  const tag = `"${info.size.toString(16)}-${Math.round(info.mtime * 1e6).toString(16)}"`;
  return now - info.mtime > 1 ? tag : `W/${tag}`;
}

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
 * Seconds since 1970; undefined for an invalid date, which is ignored. Without "GMT", as in the
 * oldest of three formats (RFC 9110, section 5.6.7), `Date` would assume the local zone.
 */
function parseDate(value = ""): number | undefined {
  const time = Date.parse(/ GMT$/i.test(value) ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}

export interface RangeValidators {
  /** With quotes. */
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/**
 * The range of a `Range` header, cut at the end of the resource; `unsatisfiable` beyond it (416).
 * Undefined means the whole: no header, a malformed one, another unit, or several ranges, which a
 * server need not support.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): FileRange | "unsatisfiable" | undefined {
  const [, first, last] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || first + last === "") return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { offset: size - length, length };
  }
  const offset = Number(first);
  const end = last === "" ? Infinity : Number(last) + 1;
  // A reversed range is malformed, and malformed ones are ignored (section 14.1.1).
  if (end <= offset) return undefined;
  if (offset >= size) return "unsatisfiable";
  return { offset, length: Math.min(end, size) - offset };
}

/**
 * Whether `If-Range` permits a part: it must be of the same version. Weak tags never match, as they
 * do not guarantee identical bytes (section 13.1.5).
 */
export function rangeApplies(ifRange: string | undefined, validators: RangeValidators): boolean {
  if (ifRange === undefined) return true;
  const value = ifRange.trim();
  if (value.startsWith('"')) return value === validators.etag;
  return value !== "" && value === validators.lastModified;
}
