/**
 * A part of a resource: RFC 9110, section 14.
 * @module
 */
import type { FileRange } from "./send-file.ts";

/** What is known of the resource. */
export interface RangeValidators {
  /** Value of `ETag`, quotes included. */
  readonly etag: string | undefined;
  /** Value of `Last-Modified`. */
  readonly lastModified: string | undefined;
}

/**
 * The part that a `Range` header asks for, cut at the end of the resource; `unsatisfiable` when it lies beyond it (416).
 * Undefined: the whole is to be sent, because the header is missing, malformed, of another unit, or names several
 * parts, which a server need not support and Apache itself makes of a short answer.
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
  // A range that ends before it begins is malformed, and a malformed one must be ignored (section 14.1.1).
  if (end <= offset) return undefined;
  if (offset >= size) return "unsatisfiable";
  return { offset, length: Math.min(end, size) - offset };
}

/**
 * Whether a `Range` is to be looked at: `If-Range` wants the whole when the part would be one of another version. Weak
 * tags never match: they say that two versions mean the same, not that their bytes fit together (section 13.1.5).
 */
export function rangeApplies(ifRange: string | undefined, validators: RangeValidators): boolean {
  if (ifRange === undefined) return true;
  const value = ifRange.trim();
  if (value.startsWith('"')) return value === validators.etag;
  return value !== "" && value === validators.lastModified;
}
