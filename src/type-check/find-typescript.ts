/**
 * The TypeScript compiler of an application, or the one beside mod_ts: only `mod-ts check` needs it, so it may be missing.
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** A compiler and what it needs. */
export interface TypeScript {
  /** Path of `tsc`, a script for Node. */
  readonly tsc: string;
  /** Folder that holds `node/`, the types of Node. */
  readonly typeRoot: string;
}

/** Looks from a folder of the application, then from mod_ts. Gives the names of the packages that are missing, if any are. */
export function findTypeScript(folder: string): TypeScript | string[] {
  const manifest =
    locate("typescript", join(folder, "x")) ?? locate("typescript", import.meta.filename);
  const types =
    locate("@types/node", join(folder, "x")) ?? locate("@types/node", import.meta.filename);
  const missing = [manifest ? "" : "typescript", types ? "" : "@types/node"].filter(Boolean);
  if (!manifest || !types) return missing;
  const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: { tsc: string } };
  return { tsc: join(dirname(manifest), bin.tsc), typeRoot: dirname(dirname(types)) };
}

/** The manifest of a package, as an import of `from` would find it. */
function locate(name: string, from: string): string | undefined {
  for (const folder of createRequire(from).resolve.paths(name) ?? []) {
    const file = join(folder, name, "package.json");
    if (existsSync(file)) return file;
  }
  return undefined;
}
