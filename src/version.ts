/**
 * The version in package.json, which lies one folder up from the sources and from the built files alike.
 * @module
 */
import { readFileSync } from "node:fs";

const manifest: unknown = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
);

/** Version of mod_ts, e.g. `0.1.0`. */
export const version: string = (manifest as { version: string }).version;
