import { OK, type ApacheRequest } from "mod-ts";

/** Whoever asks may know. Apache asks for itself alone. */
export function accessHandler() {
  return OK;
}

export function handler(req: ApacheRequest) {
  req.contentType = "text/plain";
  req.write("well\n");
  return OK;
}
