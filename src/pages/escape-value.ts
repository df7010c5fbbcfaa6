/**
 * What a page writes for a value.
 * @module
 */
import { escapeHtml } from "../html.ts";
import { isPromiseLike } from "../promise-like.ts";

/** `<%= value %>`: the value as text that is safe in element content and in quoted attribute values. Null and undefined are nothing. */
export function escapeValue(value: unknown): string {
  if (typeof value === "number") return `${value}`;
  return escapeHtml(valueText(value));
}

/** `<%- value %>`: the value as it is. Null and undefined are nothing; a promise that nobody waits for is a mistake. */
export function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  if (isPromiseLike(value)) {
    throw new TypeError("this value is a promise; write await before it");
  }
  return String(value);
}
