import { setTimeout as sleep } from "node:timers/promises";
import { OK, type ApacheRequest } from "mod-ts";

/** Sends the time once a second until the client disconnects: curl -N …/events */
export async function handler(req: ApacheRequest) {
  req.contentType = "text/event-stream";
  req.noCache = true;
  while (!req.signal.aborted) {
    req.write(`data: ${new Date().toISOString()}\n\n`);
    await req.flush();
    await sleep(1000, undefined, { signal: req.signal }).catch(() => {});
  }
  return OK;
}
