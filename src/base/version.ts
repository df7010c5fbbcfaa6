/** What package.json says, two directories up from here in the sources and in the build. */
import { readFileSync } from "node:fs";

interface Manifest {
  version: string;
  peerDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
) as Manifest;

/** E.g. `0.1.0`. */
export const version: string = manifest.version;

/** Supported versions of optional packages by name, e.g. `>=5`. */
export const peerRanges: Readonly<Record<string, string>> = manifest.peerDependencies;
