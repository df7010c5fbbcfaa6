/**
 * Data of a session as text and back. `JSON.stringify` drops or changes in silence what it cannot hold; here that is an error.
 * @module
 */
import { ModTsError } from "../errors.ts";
import type { SessionData } from "../request/session.ts";

/** Deeper than anybody means to; a cycle has no end. */
const deepest = 100;

/** @throws ModTsError `MODTS_SESSION_DATA` */
export function sessionToJson(data: SessionData, maxBytes: number): string {
  for (const [key, value] of Object.entries(data)) checkValue(value, `data.${key}`, 1);
  const text = JSON.stringify(data);
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  const reason = `it would have ${bytes} bytes, more than mod_ts.session.max_bytes (${maxBytes})`;
  throw new ModTsError("MODTS_SESSION_DATA", { path: "its data", reason });
}

/** An object without prototype, in which any name may be asked for. Throws for what is no JSON object. */
export function sessionFromJson(text: string): SessionData {
  const value = JSON.parse(text) as unknown;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError("its data is no JSON object");
  }
  return Object.assign(Object.create(null) as SessionData, value);
}

function checkValue(value: unknown, path: string, depth: number): void {
  if (value === null || value === undefined) return;
  if (typeof value === "string" || typeof value === "boolean") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  if (typeof value !== "object") throw refuse(path, nameOf(value));
  if (depth > deepest) throw refuse(path, "a cycle, or too deep");
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkValue(item, `${path}[${index}]`, depth + 1);
    return;
  }
  if (!isPlain(value)) throw refuse(path, nameOf(value));
  for (const [key, item] of Object.entries(value)) checkValue(item, `${path}.${key}`, depth + 1);
}

/** Of any realm: the prototype of a plain object has none itself. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function refuse(path: string, what: string): ModTsError {
  const reason = `it is ${what}, which JSON does not keep`;
  return new ModTsError("MODTS_SESSION_DATA", { path: path.slice(0, 200), reason });
}

function nameOf(value: unknown): string {
  if (typeof value !== "object" || value === null) {
    return typeof value === "number" ? String(value) : `a ${typeof value}`;
  }
  return `an object of class ${String(value.constructor?.name ?? "unknown")}`;
}
