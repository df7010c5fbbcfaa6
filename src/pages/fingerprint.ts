/**
 * What compiled pages depend on besides their text.
 * @module
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { version } from "../version.ts";

/**
 * Versions of mod_ts and its compiler, and a digest of this folder: in a checkout the translation changes without a new version.
 */
export function pagesFingerprint(): string {
  const manifest = createRequire(import.meta.url)("oxc-transform/package.json") as unknown;
  const hash = createHash("sha256").update(
    `${version} ${(manifest as { version: string }).version} ${process.version}`,
  );
  const folder = import.meta.dirname;
  for (const name of readdirSync(folder).toSorted()) hash.update(readFileSync(join(folder, name)));
  return hash.digest("hex");
}
