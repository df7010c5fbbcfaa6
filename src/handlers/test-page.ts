/**
 * `mod_ts/test-page`: request, server, process and modules on one page; mod_python: `testhandler`.
 * It shows paths, options and environment, so only to clients on this machine, unless the location
 * has `Use TsOption mod_ts.test_page everyone`.
 */
import { escapeHtml, htmlPage, htmlTable } from "../base/html.ts";
import { OK, type Outcome } from "../base/outcome.ts";
import { isOfThisMachine } from "../engine/local-client.ts";
import type { ApacheRequest } from "../request/request.ts";

export interface ProcessFacts {
  /** Version of mod_ts. */
  readonly version: string;
  /** Reloads of the supervisor. */
  readonly generation: number;
  /** Allowed handler directories. */
  readonly roots: readonly string[];
  modules(): readonly LoadedFact[];
}

export interface LoadedFact {
  readonly file: string;
  readonly generation: number;
  /** Milliseconds since the epoch. */
  readonly loadedAt: number;
  readonly failure?: Error | undefined;
}

/** Names of values that may be secrets. */
const secretName = /pass|secret|token|key|dsn|credential/i;

export function createTestPage(facts: ProcessFacts): { handler(req: ApacheRequest): Outcome } {
  return {
    handler(req) {
      if (!isOfThisMachine(req) && req.getOptions()["mod_ts.test_page"] !== "everyone") {
        req.logError("mod_ts/test-page is shown to this machine alone", "notice");
        return 403;
      }
      req.noCache = true;
      const page = htmlPage("mod_ts test page", render(req, facts));
      // Not earlier: it would hide the type set by Apache.
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
    ["Handler directories", facts.roots.join(", ")],
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
