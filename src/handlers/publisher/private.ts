/** Files, names and values of published modules that no URL reaches. */
import { types } from "node:util";
import { filesAndCopies } from "../../base/backup-files.ts";
import { defaultNames } from "../../engine/handler.ts";

/**
 * Whether a module is private: by a leading underscore, as a package, or in a hidden directory.
 * Attack: `/site/node_modules/some-package/index.js/run?command=…`, where a whole project directory
 * is published.
 * @param uri path of the URL: directories above the published one are the administrator's choice
 */
export function isPrivateFile(file: string, uri: () => string): boolean {
  return file.includes("/_", file.lastIndexOf("/")) || isPrivatePlace(file, uri);
}

/** Scripts that are not our modules, and backups of any script. */
const script = filesAndCopies("[cm]?[jt]s|[jt]sx|tsp");

/**
 * Whether another file must not be served either. Attack: `/site/hello.js~`, `/site/helpers.cjs`
 * and `/site/.git/config` would be sent as they are, passwords included.
 */
export function isPrivatePlain(file: string, uri: () => string): boolean {
  return script.test(file) || isPrivatePlace(file, uri);
}

function isPrivatePlace(file: string, uri: () => string): boolean {
  if (file.includes("/node_modules/")) return true;
  // RFC 8615: that directory is public.
  return file.includes("/.") && /\/\.(?!well-known\/)/.test(uri());
}

/** Access control names in modules, objects and functions. */
export const guardNames: readonly string[] = ["auth", "access", "realm"];

/** Names with a meaning for the engine, the loader or this handler. */
const reserved: ReadonlySet<string> = new Set([
  ...Object.values(defaultNames),
  ..."webSocketHandler dispose default then parameters".split(" "),
  ...guardNames,
]);

/** Whether a name is private in any object: `_…`, `__proto__` included, or a guard. */
export function isPrivate(name: string): boolean {
  return name.startsWith("_") || guardNames.includes(name);
}

export function isPrivateExport(name: string): boolean {
  return name.startsWith("_") || reserved.has(name);
}

/**
 * Whether a value is a primitive, or a plain object or array of such. Attack: `/site` returns as
 * JSON what `/site/admin` keeps behind a guard, password list included. So each part must be
 * reachable by its own URL: no guards, private names, getters, functions or instances.
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
