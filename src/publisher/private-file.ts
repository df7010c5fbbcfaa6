/**
 * Files in a published folder that are nobody's to call.
 * @module
 */
import { filesAndLeftOvers } from "../left-overs.ts";

/**
 * Whether a module is private: by an underscore before its name, as a package, or in a hidden folder, e.g. `.git`.
 *
 * Attack: `/site/node_modules/some-package/index.js/run?command=…`, where somebody publishes the folder of a whole project.
 * @param file absolute path of the module
 * @param uri path of the URL: above the folder that is published, a hidden one is the administrator's own affair
 */
export function isPrivateFile(file: string, uri: () => string): boolean {
  return file.includes("/_", file.lastIndexOf("/")) || isPrivatePlace(file, uri);
}

/** Scripts that are no modules of ours, and what editors and administrators leave behind of any. */
const script = filesAndLeftOvers("[cm]?[jt]s|[jt]sx|tsp");

/**
 * Whether a file that is no module is not to be served either.
 *
 * Attack: `/site/hello.js~` and `/site/helpers.cjs` would be sent as they are, passwords included; so would `/site/.git/config`.
 */
export function isPrivatePlain(file: string, uri: () => string): boolean {
  return script.test(file) || isPrivatePlace(file, uri);
}

function isPrivatePlace(file: string, uri: () => string): boolean {
  if (file.includes("/node_modules/")) return true;
  // RFC 8615: that folder is there to be asked.
  return file.includes("/.") && /\/\.(?!well-known\/)/.test(uri());
}
