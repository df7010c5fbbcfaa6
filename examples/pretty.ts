import { DECLINED, OK, type ApacheRequest } from "mod-ts";

/** Addresses without extension: /articles/first-steps is the file first-steps.html. */
export function transHandler(req: ApacheRequest) {
  if (!/^\/articles\/[a-z-]+$/.test(req.uri)) return DECLINED;
  req.uri += ".html";
  return OK;
}
