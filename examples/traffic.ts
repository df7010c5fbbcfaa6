import { setTimeout as sleep } from "node:timers/promises";
import { OK, type ApacheRequest } from "mod-ts";
import { page, source } from "./layout.ts";

interface Finished {
  time: number;
  seconds: number;
  path: string;
}

/** The last minute, oldest first. */
const finished: Finished[] = [];

/** Hears of every request to this server, whoever served it: a file, a CGI script, a handler. */
export function logHandler(req: ApacheRequest) {
  const path = req.uri.slice(0, 100);
  if (path !== "/traffic") finished.push({ time: Date.now(), seconds: req.duration, path });
  while (finished.length > 10_000 || (finished[0]?.time ?? Infinity) < Date.now() - 60_000) {
    finished.shift();
  }
  return OK;
}

/** The page, and with ?live the numbers of each second as server-sent events. */
export async function handler(req: ApacheRequest) {
  if (req.args === "live") return live(req);
  req.contentType = "text/html";
  req.write(
    page(
      "Traffic",
      `<p>Every request to this server in the last minute. Open the other examples in a second window.</p>
<p><output id="rate" aria-live="polite">…</output></p>
<table><caption>Slowest addresses</caption>
<thead><tr><th scope="col">address</th><th scope="col">ms</th></tr></thead><tbody id="slowest"></tbody></table>
<script>
new EventSource("?live").onmessage = ({ data }) => {
  const { perSecond, total, top } = JSON.parse(data);
  rate.value = perSecond + " requests in the last second, " + total + " in the last minute";
  slowest.replaceChildren(...top.map((cells) => {
    const row = document.createElement("tr");
    for (const cell of cells) row.insertCell().textContent = cell;
    return row;
  }));
};
</script>${source("traffic.ts")}`,
    ),
  );
  return OK;
}

async function live(req: ApacheRequest) {
  req.contentType = "text/event-stream";
  req.noCache = true;
  while (!req.signal.aborted) {
    req.write(`data: ${JSON.stringify(summary())}\n\n`);
    await req.flush();
    await sleep(1000, undefined, { signal: req.signal }).catch(() => {});
  }
  return OK;
}

function summary() {
  const now = Date.now();
  const slowest = new Map<string, number>();
  for (const { path, seconds } of finished) {
    slowest.set(path, Math.max(slowest.get(path) ?? 0, seconds));
  }
  const top = [...slowest].toSorted(([, one], [, other]) => other - one).slice(0, 10);
  return {
    perSecond: finished.filter(({ time }) => time > now - 1000).length,
    total: finished.length,
    top: top.map(([path, seconds]) => [path, (seconds * 1000).toFixed(1)]),
  };
}
