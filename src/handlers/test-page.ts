/**
 * `mod_ts/test-page`: what Apache told us and what runs here, on one page (mod_python's `testhandler`).
 *
 * The page shows paths, options and environment: only a client on this very machine sees it, unless the location says
 * `Use TsOption mod_ts.test_page everyone`.
 * @module
 */
import { isIP } from "node:net";
import { escapeHtml, htmlPage, htmlTable } from "../html.ts";
import { OK, type Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";

/** What the process knows of itself. */
export interface ProcessFacts {
  /** Version of mod_ts. */
  readonly version: string;
  /** Counts the reloads of the supervisor. */
  readonly generation: number;
  /** Allowed handler folders. */
  readonly roots: readonly string[];
  /** The handler modules that are loaded, newest state first asked. */
  modules(): readonly LoadedFact[];
}

export interface LoadedFact {
  readonly file: string;
  readonly generation: number;
  /** Milliseconds since the epoch. */
  readonly loadedAt: number;
  readonly failure?: Error | undefined;
}

/** What proxies add to a request that they pass on (RFC 9110, section 7.6.3; RFC 7239). */
const proxyTraces = ["x-forwarded-for", "forwarded", "via"];

/** Values that could be passwords; their names say so more often than not. */
const secretName = /pass|secret|token|key|dsn|credential/i;

/** Makes the module that the reference `mod_ts/test-page` stands for. */
export function createTestPage(facts: ProcessFacts): { handler(req: ApacheRequest): Outcome } {
  return {
    handler(req) {
      if (!isOfThisMachine(req) && req.getOptions()["mod_ts.test_page"] !== "everyone") {
        req.logError("mod_ts/test-page is shown to this machine alone", "notice");
        return 403;
      }
      req.noCache = true;
      const page = htmlPage("mod_ts test page", render(req, facts));
      // Only now: it would hide the type that Apache gave.
      req.contentType = "text/html; charset=utf-8";
      req.write(page);
      return OK;
    },
  };
}

function render(req: ApacheRequest, facts: ProcessFacts): string {
  const sections: [string, Iterable<readonly [string, unknown]>][] = [
    ["Request", requestRows(req)],
    ["Server", serverRows(req)],
    ["Process", processRows(req, facts)],
    ["Handler modules", facts.modules().map(moduleRow)],
    ["Options", Object.entries(req.getOptions()).map(hideSecret)],
    ["Request headers", req.headersIn.entries()],
    ["Environment", [...req.subprocessEnv].map(hideSecret)],
    ["Notes", [...req.notes].map(hideSecret)],
  ];
  const tables = sections.map(
    ([title, rows]) => `<h2>${escapeHtml(title)}</h2>\n${htmlTable(rows)}`,
  );
  return `<h1>It works: Apache and mod_ts talk</h1>\n${tables.join("\n")}`;
}

function requestRows(req: ApacheRequest): [string, unknown][] {
  return [
    ["Request line", req.theRequest],
    ["URI", req.uri],
    ["Query", req.args ?? "none"],
    ["File name", req.filename],
    ["Path info", req.pathInfo || "none"],
    ["Content type of the file", req.contentType || "none"],
    ["HTTPS", req.isHttps() ? "yes" : "no"],
    ["User", req.user || "none"],
    ["Client", `${req.useragentIp}:${req.connection.remotePort}`],
    ["Unique id", req.uniqueId],
  ];
}

function serverRows(req: ApacheRequest): [string, unknown][] {
  return [
    ["Software", req.server.software],
    ["Name", `${req.server.serverHostname}:${req.server.port}`],
    ["Administrator", req.server.serverAdmin],
    ["Document root", req.documentRoot()],
  ];
}

function processRows(req: ApacheRequest, facts: ProcessFacts): [string, unknown][] {
  return [
    ["mod_ts", facts.version],
    ["Node.js", process.version],
    ["Interpreter", req.interpreter],
    [
      "Process",
      `${process.pid}, up ${Math.round(process.uptime())} s, generation ${facts.generation}`,
    ],
    ["Memory", `${Math.round(process.memoryUsage.rss() / 1048576)} MiB`],
    ["Handler folders", facts.roots.join(", ")],
    ["User id", process.getuid?.() ?? "unknown"],
  ];
}

function moduleRow({ file, generation, loadedAt, failure }: LoadedFact): [string, string] {
  const state = failure ? `; the newest save does not load: ${failure.message}` : "";
  return [file, `#${generation}, ${new Date(loadedAt).toISOString()}${state}`];
}

function hideSecret([name, value]: [string, unknown]): [string, unknown] {
  return [name, secretName.test(name) ? "(hidden)" : value];
}

/** Attack: behind a reverse proxy on this machine, without mod_remoteip, every visitor of the world seems to be local. */
function isOfThisMachine(req: ApacheRequest): boolean {
  return isLocal(req.useragentIp) && !proxyTraces.some((name) => req.headersIn.has(name));
}

/** `127.0.0.0/8`, `::1`, and the first written as IPv6. */
function isLocal(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, "");
  return isIP(plain) === 4 ? plain.startsWith("127.") : plain === "::1";
}
