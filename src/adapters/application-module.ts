/**
 * The module of an application, and what it exports.
 * @module
 */
import { describe } from "../call-handler.ts";
import type { HandlerReference } from "../directives.ts";
import { ModTsError } from "../errors.ts";
import type { HeldModule } from "../request/internals.ts";
import { type ApacheRequest, internals } from "../request/request.ts";

/** Finds the module of an application, fresh, held until the request is over. */
export async function loadApplication(
  req: ApacheRequest,
  { module, path }: HandlerReference,
): Promise<HeldModule> {
  const { modules } = req[internals];
  if (!modules) throw new Error("applications are found by the engine alone");
  return modules.load(module, path[0] ?? "default");
}

/**
 * What a reference names in its module, the default export unless it says more. Own exports only, as for handlers.
 * @throws ModTsError `MODTS_MISSING_EXPORT`
 */
export function exportOf(module: HeldModule, path: readonly string[]): unknown {
  const names = path.length > 0 ? path : ["default"];
  let value: unknown = module.exports;
  for (const name of names) {
    if (value === null || value === undefined || !Object.hasOwn(value, name)) {
      throw new ModTsError("MODTS_MISSING_EXPORT", { module: module.file, name: names.join(".") });
    }
    value = Reflect.get(Object(value), name);
  }
  return value;
}

/** The error of an export that is no application of its kind, e.g. `a fetch application`. */
export function notAnApplication(module: HeldModule, value: unknown, expected: string): ModTsError {
  return new ModTsError("MODTS_NOT_AN_APPLICATION", {
    module: module.file,
    type: isConnect(value) ? "an Express or Connect application" : describe(value),
    expected,
  });
}

/** Express and Connect applications are functions of three parameters, with methods. */
export function isConnect(value: unknown): boolean {
  return (
    typeof value === "function" &&
    typeof Reflect.get(value, "use") === "function" &&
    typeof Reflect.get(value, "handle") === "function"
  );
}
