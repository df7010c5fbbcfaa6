import { OK, type ApacheRequest } from "mod-ts";

const day = 86_400;

/** Headers by policy: what has not changed for a day may be cached, and drafts are not for everybody. */
export function fixupHandler(req: ApacheRequest) {
  const isLocal = req.useragentIp === "127.0.0.1" || req.useragentIp === "::1";
  if (req.uri.includes("draft") && !isLocal) return 403;
  const { mtime } = req.finfo;
  const isOld = mtime !== null && req.requestTime - mtime > day;
  req.headersOut.set("Cache-Control", isOld ? `max-age=${day}` : "no-cache");
  req.headersOut.set("X-Policy", "examples/policy.ts");
  return OK;
}
