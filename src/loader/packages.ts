/** Where a package or `#import` lies, as Node resolves it. */
import { createRequire, isBuiltin, registerHooks } from "node:module";
import { extname } from "node:path";
import { attempt } from "../base/attempt.ts";
import { isLocal } from "./resolve.ts";

/** TypeScript, which Node loads in part only; JavaScript of a linked package is Node's. */
const sourceExtensions: ReadonlySet<string> = new Set([".ts", ".tsx", ".mts", ".cts", ".jsx"]);

let questions = 0;

/** Whether a resolution is a question, and nothing is loaded. */
export function isOnlyAsked(): boolean {
  return questions > 0;
}

/** With the conditions of `import`: only a hook can give them to `require.resolve`. */
export function resolvePackage(specifier: string, importer: string): string {
  const conditions = ["node", "import", "module-sync", "node-addons"];
  const hooks = registerHooks({
    resolve: (name, context, next) => next(name, { ...context, conditions }),
  });
  questions += 1;
  try {
    return createRequire(importer).resolve(specifier);
  } finally {
    questions -= 1;
    hooks.deregister();
  }
}

/**
 * Path of TypeScript that is imported by the name of a package, such as one of the same workspace,
 * and lies outside of `node_modules`: it is compiled and reloaded as a file of the author's.
 * Undefined for everything that Node loads.
 */
export function findOwnSource(specifier: string, importer: string): string | undefined {
  if (isLocal(specifier) || isBuiltin(specifier) || URL.canParse(specifier)) return undefined;
  const file = attempt(() => resolvePackage(specifier, importer), "");
  return isOwnSource(file) ? file : undefined;
}

/** Whether a file is TypeScript outside of `node_modules`. */
export function isOwnSource(file: string): boolean {
  return sourceExtensions.has(extname(file)) && !file.includes("/node_modules/");
}
