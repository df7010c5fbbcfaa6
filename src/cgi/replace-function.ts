/**
 * Puts a function of ours in the place of one of Node's.
 * @module
 */

/** Any function. */
export type AnyFunction = (...args: unknown[]) => unknown;
/** A module of Node, seen as functions by name. */
export type Functions = Record<string, AnyFunction | undefined>;

/** Does nothing where there is no such function: not every version of Node has each. */
export function replaceFunction(
  api: Functions,
  name: string,
  wrapper: (original: AnyFunction, args: unknown[]) => unknown,
): void {
  const original = api[name];
  if (typeof original !== "function") return;
  const replacement: AnyFunction = (...args) => wrapper(original, args);
  // Properties stay: `realpath.native`, and the symbol by which util.promisify knows its way.
  Object.defineProperties(replacement, Object.getOwnPropertyDescriptors(original));
  api[name] = replacement;
}
