import { OK, type ApacheRequest } from "mod-ts";

/** Who belongs to which department. */
const members = new Map([
  ["sales", ["john"]],
  ["engineering", ["ann"]],
]);

/** /reports/<department>/ is for its members alone; the list of departments is for everybody who is known. */
export function authzHandler(req: ApacheRequest) {
  const department = req.uri.split("/")[2] ?? "";
  if (department === "" || department === "index.html") return OK;
  return members.get(department)?.includes(req.user ?? "") ? OK : 403;
}
