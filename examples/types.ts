import { DECLINED, OK, type ApacheRequest } from "mod-ts";

/** A type that Apache does not know: browsers show Markdown as text in place of downloading it. */
export function typeHandler(req: ApacheRequest) {
  if (req.extension !== ".md") return DECLINED;
  req.contentType = "text/plain; charset=utf-8";
  return OK;
}
