/**
 * What editors and administrators leave behind of a file: `hello.ts~`, `hello.ts.bak`, `hello.ts.rpmsave`.
 * @module
 */

/** Source of a pattern for what follows the name of the file; also of none. The same stands in `apache-conf/mod_ts.conf`. */
const leftOver = String.raw`(?:\.(?:bak\d*|backup|old|orig|save|sav|new|copy|disabled|off|tmp|temp|rej|dpkg-\w+|ucf-\w+|rpm\w+|kate-swp|sw[a-z]|un~|~\d+~|\d[\d-]*))*(?:[-_~#][^/]*)?`;

/** A pattern for files with one of some extensions, without their dot (`[mc]?ts|tsx`), and for what is left behind of them. In any case. */
export function filesAndLeftOvers(extensions: string): RegExp {
  return new RegExp(String.raw`\.(?:${extensions})${leftOver}$`, "i");
}
