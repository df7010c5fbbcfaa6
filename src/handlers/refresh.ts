/**
 * `mod_ts/refresh`: tells a page that a file it came from has changed. Exists in development alone.
 *
 * Every HTML page of a development server ends with a few lines of script that listen here (server-sent events, HTML
 * Living Standard 9.2) and reload the page. The address names the modules and builds that the page came from, so that a
 * save between the answer and the first event is not missed.
 * @module
 */
import { escapeJson } from "../html.ts";
import { OK, type Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";

/** Where a development server serves the events. */
export const refreshPath = "/.mod-ts/refresh";

/** Milliseconds between two looks at the file system while a browser listens. */
const interval = 150;

/** Gives the build that a module is at, by its name in a handler reference: changes whenever a request would see something else. */
export type BuildOf = (name: string) => Promise<string>;

/** Makes the module that the reference `mod_ts/refresh` stands for. */
export function createRefresh(buildOf: BuildOf): { handler(req: ApacheRequest): Promise<Outcome> } {
  return {
    async handler(req) {
      const seen = [...new URLSearchParams(req.args ?? "")];
      req.contentType = "text/event-stream";
      req.noCache = true;
      req.write(": listening\n\n", true);
      await req.flush();
      while (!req.signal.aborted) {
        if (await hasChanged(seen, buildOf)) {
          req.write("event: reload\ndata: \n\n");
          await req.flush();
          break;
        }
        await sleep(req.signal);
      }
      return OK;
    },
  };
}

/** The lines for the end of an HTML page that came from these modules, named as in the Apache configuration. */
export async function refreshScript(modules: readonly string[], buildOf: BuildOf): Promise<string> {
  const query = new URLSearchParams();
  for (const name of modules) query.set(name, await buildOf(name));
  const address = escapeJson(`${refreshPath}?${query}`);
  return (
    `\n<script>{const events=new EventSource(${address});` +
    `events.addEventListener("reload",()=>{events.close();location.reload()})}</script>\n`
  );
}

async function hasChanged(
  seen: readonly (readonly [string, string])[],
  buildOf: BuildOf,
): Promise<boolean> {
  for (const [name, build] of seen) if ((await buildOf(name)) !== build) return true;
  return false;
}

function sleep(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, interval);
    signal.addEventListener("abort", done);
  });
}
