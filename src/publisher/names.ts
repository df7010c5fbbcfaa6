/**
 * Names that no URL reaches, whatever they stand for.
 * @module
 */
import { defaultNames } from "../call-handler.ts";

/** Who gets in. Looked for in modules, objects and functions. */
export const guardNames: readonly string[] = ["auth", "access", "realm"];

/** What the engine, the loader and this handler look for in a module. */
const reserved: ReadonlySet<string> = new Set([
  ...Object.values(defaultNames),
  "webSocketHandler",
  "dispose",
  "default",
  "then",
  "parameters",
  ...guardNames,
]);

/** Whether a name is private in any object: by its underscore, `__proto__` included, or as a guard. */
export function isPrivate(name: string): boolean {
  return name.startsWith("_") || guardNames.includes(name);
}

/** Whether a name is private in a module. */
export function isPrivateExport(name: string): boolean {
  return name.startsWith("_") || reserved.has(name);
}
