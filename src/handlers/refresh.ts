/**
 * `mod_ts/refresh`: tells a page that a file it came from has changed. Exists in development alone.
 *
 * Every HTML page of a development server ends with a few lines of script that listen here (server-sent events, HTML
 * Living Standard 9.2) and reload the page. The address names the modules and builds that the page came from, so that a
 * save between the answer and the first event is not missed.
 * @module
 */
import type { HandlerModule } from "../handler.ts";
import { escapeJson } from "../html.ts";
import { OK, type Outcome } from "../outcome.ts";
import { isAlive } from "../process-identity.ts";
import type { ApacheRequest } from "../request/request.ts";

/** Where a development server serves the events. */
export const refreshPath = "/.mod-ts/refresh";

/** Milliseconds between two looks at the file system while a browser listens. */
const interval = 150;

/** Milliseconds until a browser that listened at the wrong process, or long enough, tries again. */
const retry = 500;

/** Milliseconds after which a stream ends by itself, so that a worker that is being replaced is not held for long. */
const defaultPatience = 10_000;

/** Key of the process id in the address; no name of a module can look like it. */
const processKey = "::process";

/** Finds a module as the engine does; rejects when it cannot be loaded. */
export type Find = (name: string) => Promise<HandlerModule> | HandlerModule;

export interface Refresh {
  /** What the reference `mod_ts/refresh` stands for. */
  readonly module: { handler(req: ApacheRequest): Promise<Outcome> };
  /**
   * The lines for the end of an HTML page that came from these modules, by their names in the Apache configuration;
   * undefined for one that could not be loaded. Empty when the page is none to be loaded again.
   */
  script(
    req: ApacheRequest,
    modules: ReadonlyMap<string, HandlerModule | undefined>,
  ): Promise<string>;
}

/** Creates both ends: the script in the page, and the handler that it listens to, for `patience` milliseconds at a time. */
export function createRefresh(find: Find, patience: number = defaultPatience): Refresh {
  // Attack: any page of the web can open an EventSource to a development server. It must not be able to name a file, as
  // to look at a module is to run it. So only names that the Apache configuration gave are looked at.
  const known = new Set<string>();
  return {
    module: { handler: (req) => serveEvents(req, { find, known, patience }) },
    async script(req, modules) {
      if (!isDocument(req)) return "";
      const query = new URLSearchParams({ [processKey]: String(process.pid) });
      for (const [name, module] of modules) {
        known.add(name);
        query.set(name, module ? describe(module) : await buildOf(name, find));
      }
      const address = escapeJson(`${refreshPath}?${query}`);
      return (
        `\n<script>{const events=new EventSource(${address});` +
        `events.addEventListener("reload",()=>{events.close();location.reload()})}</script>\n`
      );
    },
  };
}

interface Listening {
  readonly find: Find;
  readonly known: ReadonlySet<string>;
  readonly patience: number;
}

async function serveEvents(
  req: ApacheRequest,
  { find, known, patience }: Listening,
): Promise<Outcome> {
  const query = new URLSearchParams(req.args ?? "");
  const pid = Number(query.get(processKey));
  const seen = [...query].filter(([name]) => known.has(name));
  req.contentType = "text/event-stream";
  req.noCache = true;
  req.write(`retry: ${retry}\n\n`);
  await req.flush();
  // Builds are counted in each process by itself: only the one that made the page can compare.
  if (pid !== process.pid) return mayBeAlive(pid) ? OK : sendReload(req);
  const end = performance.now() + patience;
  while (!req.signal.aborted && performance.now() < end) {
    if (await hasChanged(seen, find)) return sendReload(req);
    await sleep(req.signal);
  }
  return OK;
}

function sendReload(req: ApacheRequest): Outcome {
  req.write("event: reload\ndata: \n\n");
  return OK;
}

/** What a script fetches is no page; the answer to a form would be asked for again with a warning. */
function isDocument(req: ApacheRequest): boolean {
  const destination = req.headersIn.get("sec-fetch-dest", "document");
  const isPage = destination === "document" || destination.endsWith("frame");
  return isPage && (req.method === "GET" || req.headerOnly);
}

async function hasChanged(
  seen: readonly (readonly [string, string])[],
  find: Find,
): Promise<boolean> {
  for (const [name, build] of seen) if ((await buildOf(name, find)) !== build) return true;
  return false;
}

async function buildOf(name: string, find: Find): Promise<string> {
  try {
    const module = await find(name);
    module.release();
    return describe(module);
  } catch (error) {
    return String(error);
  }
}

/** Differs whenever a request would see something else: another version, or another reason why there is none. */
function describe({ generation, failure }: HandlerModule): string {
  return `${generation} ${failure?.message ?? ""}`;
}

/** The number comes from a client: 0 and below would speak of groups of processes, and what is none is no reason to reload. */
function mayBeAlive(pid: number): boolean {
  return !Number.isSafeInteger(pid) || pid < 2 || isAlive(pid);
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
