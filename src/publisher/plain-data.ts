/**
 * Values that are published as they are, without a function that gives them.
 * @module
 */
import { types } from "node:util";
import { isPrivate } from "./names.ts";

/**
 * Whether a value is text, a number or the like, or a plain object or array of such.
 *
 * Attack: `/site` is asked for, to get as JSON what `/site/admin` keeps behind a guard, password list included. So an object goes out
 * only if each part of it could be had by a URL of its own: no guards, no private names, no getters, no functions, no instances.
 */
export function isPlainData(value: unknown, within: readonly object[] = []): boolean {
  if (typeof value !== "object" || value === null) {
    return typeof value !== "function" && typeof value !== "symbol";
  }
  if (!isPlain(value) || within.includes(value)) return false;
  return Object.keys(value).every((name) => {
    const property = Object.getOwnPropertyDescriptor(value, name);
    if (isPrivate(name) || !property || !("value" in property)) return false;
    return isPlainData(property.value, [...within, value]);
  });
}

function isPlain(value: object): boolean {
  if (types.isProxy(value) || types.isModuleNamespaceObject(value)) return false;
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}
