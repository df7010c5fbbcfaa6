import { OK, type ApacheRequest } from "mod-ts";

/** The members of each department. */
const members = new Map([
  ["sales", ["john"]],
  ["engineering", ["ann"]],
]);

/** Only members may read /reports/<department>/; the list of departments is for every authenticated user. */
export function authzHandler(req: ApacheRequest) {
  const department = req.uri.split("/")[2] ?? "";
  if (department === "" || department === "index.html") return OK;
  return members.get(department)?.includes(req.user ?? "") ? OK : 403;
}
