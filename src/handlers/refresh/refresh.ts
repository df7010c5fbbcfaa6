/**
 * `mod_ts/refresh`: reloads pages in the browser when their files change. Development only.
 *
 * HTML pages of a development server end with a script that listens here (server-sent events, HTML
 * Living Standard 9.2). Its URL names modules and builds, so that no early save is missed. It is a
 * script of its own, because a Content-Security-Policy seldom allows inline ones.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { HandlerModule } from "../../engine/handler.ts";
import { escapeHtml } from "../../base/html.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import { isAlive } from "../../base/process-identity.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { StaticChanges } from "./static-changes.ts";

/** Path of the event stream. */
export const refreshPath = "/.mod-ts/refresh";

/** File system checks while a browser listens. */
const pollIntervalMs = 150;

/** Reconnect delay of browsers. */
const retryMs = 500;

/** Streams end by themselves, so that they do not hold a worker being replaced for long. */
const defaultStreamLimitMs = 10_000;

/** Keys of the query that are no modules. */
const keys = {
  /** Process id. */
  process: "::process",
  /** Counts of {@link StaticChanges}. */
  styles: "::styles",
  others: "::others",
  /** The script is asked for, not the events. */
  script: "::script",
} as const;

/** A style sheet is replaced once the new one has loaded, so that the page is never without. */
const script = (search: string): string => `{
  const address = new URL(document.currentScript.src);
  address.search = ${JSON.stringify(search)};
  const events = new EventSource(address);
  events.addEventListener("reload", () => {
    events.close();
    location.reload();
  });
  events.addEventListener("style", () => {
    for (const link of document.querySelectorAll('link[rel~="stylesheet"][href]')) {
      const url = new URL(link.href);
      if (url.origin !== location.origin) continue;
      url.searchParams.set("mod_ts.refresh", Date.now());
      const next = link.cloneNode();
      next.href = url.href;
      next.onload = next.onerror = () => link.remove();
      link.after(next);
    }
  });
}
`;

/** Loads a module as the engine does. */
export type Find = (name: string) => Promise<HandlerModule> | HandlerModule;

export interface Refresh {
  /** Module for the reference `mod_ts/refresh`. */
  readonly module: { handler(req: ApacheRequest): Promise<Outcome> };
  /**
   * Script for the end of an HTML page made from these modules, by their names in the Apache
   * configuration; undefined for modules that failed to load. Empty for other responses.
   */
  script(
    req: ApacheRequest,
    modules: ReadonlyMap<string, HandlerModule | undefined>,
  ): Promise<string>;
}

export interface RefreshOptions {
  find: Find;
  /** A changed file that needs another process: the browser connects again, to that one. */
  changedFile?: () => string | undefined;
  streamLimitMs?: number;
}

/** Creates the script and the handler that it listens to. */
export function createRefresh(options: RefreshOptions): Refresh {
  const { find, changedFile = () => undefined, streamLimitMs = defaultStreamLimitMs } = options;
  // Attack: any web page can open an EventSource to a development server and name a file, and
  // loading runs it. So only names from the Apache configuration are loaded.
  const known = new Set<string>();
  const statics = new StaticChanges();
  const listening = { find, known, statics, changedFile, streamLimitMs };
  return {
    module: {
      handler: async (req) => {
        const query = new URLSearchParams(req.args ?? "");
        if (query.has(keys.script)) return serveScript(req, query, statics);
        return serveEvents(req, query, listening);
      },
    },
    async script(req, modules) {
      if (!isDocument(req)) return "";
      const query = new URLSearchParams({ [keys.script]: "1", ...stateNow(req, statics) });
      for (const [name, module] of modules) {
        known.add(name);
        query.set(name, module ? describe(module) : await buildOf(name, find));
      }
      return `\n<script async src="${escapeHtml(`${refreshPath}?${query}`)}"></script>\n`;
    },
  };
}

interface Listening extends Required<RefreshOptions> {
  readonly known: ReadonlySet<string>;
  readonly statics: StaticChanges;
}

function stateNow(req: ApacheRequest, statics: StaticChanges): Record<string, string> {
  const { styles, others } = statics.counts(req.documentRoot());
  return {
    [keys.process]: String(process.pid),
    [keys.styles]: String(styles),
    [keys.others]: String(others),
  };
}

/** The page of a handler names what it was made from; one that Apache serves is as new as its script. */
function serveScript(req: ApacheRequest, query: URLSearchParams, statics: StaticChanges): Outcome {
  query.delete(keys.script);
  const seen = query.has(keys.process) ? query : new URLSearchParams(stateNow(req, statics));
  req.contentType = "text/javascript; charset=utf-8";
  req.noCache = true;
  req.write(script(String(seen)));
  return OK;
}

async function serveEvents(
  req: ApacheRequest,
  query: URLSearchParams,
  { find, known, statics, changedFile, streamLimitMs }: Listening,
): Promise<Outcome> {
  const pid = Number(query.get(keys.process));
  const seen = [...query].filter(([name]) => known.has(name));
  req.contentType = "text/event-stream";
  req.noCache = true;
  req.write(`retry: ${retryMs}\n\n`);
  await req.flush();
  // Builds are counted per process: only the one that made the page can compare.
  if (pid !== process.pid) return mayBeAlive(pid) ? OK : sendReload(req);
  const counts = statics.counts(req.documentRoot());
  // A browser that connects again says what it heard last.
  let styles = Number(req.headersIn.get("last-event-id") ?? query.get(keys.styles));
  const end = performance.now() + streamLimitMs;
  while (!req.signal.aborted && performance.now() < end) {
    if (changedFile() !== undefined) return OK;
    if (counts.others > Number(query.get(keys.others))) return sendReload(req);
    if (await hasChanged(seen, find)) return sendReload(req);
    if (counts.styles > styles) await sendStyle(req, (styles = counts.styles));
    await sleep(pollIntervalMs, undefined, { signal: req.signal }).catch(() => {});
  }
  return OK;
}

function sendReload(req: ApacheRequest): Outcome {
  req.write("event: reload\ndata: \n\n");
  return OK;
}

async function sendStyle(req: ApacheRequest, styles: number): Promise<void> {
  req.write(`id: ${styles}\nevent: style\ndata: \n\n`);
  await req.flush();
}

/**
 * Fetched responses are not pages, and neither are those of programs such as curl; reloading the
 * response to a form would ask the user first. Browsers name the destination to trusted origins only.
 */
function isDocument(req: ApacheRequest): boolean {
  const takesHtml = req.headersIn.get("accept", "").includes("text/html");
  const destination = req.headersIn.get("sec-fetch-dest", takesHtml ? "document" : "empty");
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

/** Changes with each version, and with each new error. */
function describe({ generation, failure }: HandlerModule): string {
  return `${generation} ${failure?.message ?? ""}`;
}

/** Attack: the number comes from a client; 0 and negative ones are process groups. */
function mayBeAlive(pid: number): boolean {
  return !Number.isSafeInteger(pid) || pid < 2 || isAlive(pid);
}
