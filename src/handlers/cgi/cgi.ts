/**
 * `mod_ts/cgi`: CGI scripts (RFC 3875), unchanged; options: docs/cgi.md. TypeScript and JavaScript
 * run in processes that are ready before the request comes, other executable files as programs.
 */
import { getOrCreate } from "../../base/cache.ts";
import type { BrokenModule, VersionStore } from "../../base/version-store.ts";
import { findScript } from "./script.ts";
import { ScriptSources } from "./script-sources.ts";
import { type CgiSettings, readSettings, ScriptHost } from "./script-host.ts";
import type { Outcome } from "../../base/outcome.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { oncePerSection } from "../../base/options.ts";

export interface Cgi {
  readonly module: { handler(req: ApacheRequest): Promise<Outcome> };
  /** The scripts in use whose newest save is broken. */
  verify(): Promise<BrokenModule[]>;
  /** Ends the scripts that run, and the processes that wait. */
  close(): Promise<void>;
}

export interface CgiOptions {
  /** Absolute paths of the directories that scripts may lie in. */
  readonly roots: readonly string[];
  /** Milliseconds after which the engine gives up a handler. */
  readonly handlerTimeout: number;
  /** Last good versions of all workers. @default none */
  readonly versions?: VersionStore | undefined;
}

export function createCgi({ roots, handlerTimeout, versions }: CgiOptions): Cgi {
  const sources = new ScriptSources(versions);
  const settingsOf = oncePerSection((options) => readSettings(options, handlerTimeout));
  const hosts = new Map<string, ScriptHost>();
  const hostOf = (settings: CgiSettings): ScriptHost =>
    getOrCreate(hosts, JSON.stringify(settings), () => new ScriptHost(settings, sources));
  return {
    module: {
      async handler(req) {
        const host = hostOf(settingsOf(req.getOptions()));
        const script = findScript(req.filename, roots);
        if (script === 404) sources.forget(req.filename);
        return typeof script === "number" ? script : host.serve(req, script);
      },
    },
    verify: () => sources.verify(),
    async close() {
      await Promise.all([...hosts.values()].map((host) => host.close()));
    },
  };
}
