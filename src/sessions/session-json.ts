/** Session data as JSON. Values that `JSON.stringify` silently drops or changes are errors. */
import { ModTsError } from "../base/errors.ts";
import type { SessionData } from "../request/session.ts";

/** Also ends cycles. */
const maxDepth = 100;

/** @throws ModTsError `MODTS_SESSION_DATA` */
export function sessionToJson(data: SessionData, maxBytes: number): string {
  for (const [key, value] of Object.entries(data)) checkValue(value, `data.${key}`, 1);
  const text = JSON.stringify(data);
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  const reason = `${bytes} bytes, more than mod_ts.session.max_bytes (${maxBytes})`;
  throw new ModTsError("MODTS_SESSION_DATA", { path: "the data", reason });
}

/** Without prototype: any name may be looked up. Throws for anything but a JSON object. */
export function sessionFromJson(text: string): SessionData {
  const value = JSON.parse(text) as unknown;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError("the data is not a JSON object");
  }
  return Object.assign(Object.create(null) as SessionData, value);
}

function checkValue(value: unknown, path: string, depth: number): void {
  if (value === null || value === undefined) return;
  if (typeof value === "string" || typeof value === "boolean") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  if (typeof value !== "object") throw refuse(path, nameOf(value));
  if (depth > maxDepth) throw refuse(path, "a cycle, or too deep");
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
  const reason = `${what} cannot be stored as JSON`;
  return new ModTsError("MODTS_SESSION_DATA", { path: path.slice(0, 200), reason });
}

function nameOf(value: unknown): string {
  if (typeof value !== "object" || value === null) {
    return typeof value === "number" ? String(value) : `a ${typeof value}`;
  }
  return `an object of class ${String(value.constructor?.name ?? "unknown")}`;
}
