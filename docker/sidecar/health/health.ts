import { OK, type ApacheRequest } from "mod-ts";

/** Allows every request; Apache restricts the location to the container itself. */
export function accessHandler() {
  return OK;
}

export function handler(req: ApacheRequest) {
  req.contentType = "text/plain";
  req.write("well\n");
  return OK;
}
