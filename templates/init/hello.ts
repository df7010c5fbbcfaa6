import { OK, type ApacheRequest } from "mod-ts";

export function handler(req: ApacheRequest) {
  req.contentType = "text/plain";
  req.write("Hello from mod_ts!\n");
  return OK;
}
