/**
 * Packages that only some installations need: optional peer dependencies, loaded when they are used.
 * @module
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ModTsError } from "../errors.ts";

/**
 * Loads a package, from where mod_ts is installed or from the folder that the process was started in, where an application has
 * its own packages. Rejects with `MODTS_PACKAGE_MISSING`, which says how to install it.
 * @param handler what needs it, e.g. `mod_ts/sql`
 */
export async function loadPackage<T>(
  name: string,
  handler: string,
  folder: string = process.cwd(),
): Promise<T> {
  const file = locate(name, import.meta.url) ?? locate(name, join(folder, "package.json"));
  const missing = { handler, package: name };
  if (file === undefined) throw new ModTsError("MODTS_PACKAGE_MISSING", missing);
  try {
    return (await import(pathToFileURL(file).href)) as T;
  } catch (cause) {
    // A prebuilt binary for another platform or C library, most often.
    throw new ModTsError("MODTS_PACKAGE_MISSING", missing, { cause });
  }
}

function locate(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(name);
  } catch {
    return undefined;
  }
}
