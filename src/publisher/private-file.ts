/**
 * Files in a published folder that are nobody's to call.
 * @module
 */

/**
 * Whether a module is private: by an underscore before its name, as a package, or in a hidden folder, e.g. `.git`.
 *
 * Attack: `/site/node_modules/some-package/index.js/run?command=…`, where somebody publishes the folder of a whole project.
 * @param file absolute path of the module
 * @param uri path of the URL: above the folder that is published, a hidden one is the administrator's own affair
 */
export function isPrivateFile(file: string, uri: () => string): boolean {
  if (file.includes("/_", file.lastIndexOf("/"))) return true;
  if (file.includes("/node_modules/")) return true;
  // RFC 8615: that folder is there to be asked.
  return file.includes("/.") && /\/\.(?!well-known\/)/.test(uri());
}
