/** Optional peer dependencies, loaded on first use. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { attempt } from "./attempt.ts";
import { ModTsError } from "./errors.ts";
import { peerRanges } from "./version.ts";

/**
 * Loads a package installed beside mod_ts or in the working directory of the process. Rejects with
 * `MODTS_PACKAGE_MISSING`, which names the command that installs it, or `MODTS_PACKAGE_OLD`.
 *
 * The ranges of package.json are wide, because npm refuses a project that already uses another
 * version; the lower bound is checked here.
 * @param specifier e.g. `mysql2/promise`
 * @param handler its user, e.g. `mod_ts/sql`
 */
export async function loadPackage<T>(
  specifier: string,
  handler: string,
  directory: string = process.cwd(),
): Promise<T> {
  const locate = (from: string): string | undefined =>
    attempt(() => createRequire(from).resolve(specifier), undefined);
  const file = locate(import.meta.url) ?? locate(join(directory, "package.json"));
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  const missing = { handler, package: name };
  if (file === undefined) throw new ModTsError("MODTS_PACKAGE_MISSING", missing);
  requireVersion(name, file, handler);
  try {
    return (await import(pathToFileURL(file).href)) as T;
  } catch (cause) {
    // Usually a prebuilt binary for another platform or C library.
    throw new ModTsError("MODTS_PACKAGE_MISSING", missing, { cause });
  }
}

/** Throws `MODTS_PACKAGE_OLD` if the package of a file is older than our `peerDependencies` allow. */
export function requireVersion(name: string, file: string, handler: string): void {
  const least = Number(peerRanges[name]?.slice(">=".length));
  const root = `/node_modules/${name}/`;
  const end = file.lastIndexOf(root);
  // A linked package has another path.
  if (Number.isNaN(least) || end < 0) return;
  const text = readFileSync(join(file.slice(0, end), root, "package.json"), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  if (Number.parseInt(version, 10) >= least) return;
  throw new ModTsError("MODTS_PACKAGE_OLD", { handler, package: name, version, least });
}
