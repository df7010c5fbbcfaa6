/** Source files and their copies and backups: `hello.ts`, `hello.ts~`, `hello.ts (copy)`. */

/** Of a copy or backup: whatever follows a character that ends the extension. */
const suffix = "(?:[^a-z0-9/][^/]*)?";

/**
 * Matches files with one of the extensions (`[mc]?ts|tsx`) and their copies, in any case.
 * `apache-conf/mod_ts.conf` has the same pattern.
 */
export function filesAndCopies(extensions: string): RegExp {
  return new RegExp(String.raw`\.(?:${extensions})${suffix}$`, "i");
}
