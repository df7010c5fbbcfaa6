/**
 * `mod_ts/cgi`: runs CGI scripts (RFC 3875) as they are. TypeScript and JavaScript run in threads that are ready before the request comes;
 * anything else that is executable runs as a process.
 *
 * | option (`Use TsOption …`) | means                                                                                       |
 * |---------------------------|---------------------------------------------------------------------------------------------|
 * | `mod_ts.cgi.threads`      | scripts in threads at a time, in each worker; by default twice the processors, at least 4    |
 * | `mod_ts.cgi.processes`    | scripts as processes at a time, in each worker; by default four times as many               |
 * | `mod_ts.cgi.queue`        | requests that may wait for one of each, 100 by default; more are a 503                      |
 * | `mod_ts.cgi.timeout`      | milliseconds that a script may be silent; by default nine tenths of `limits.handlerTimeout` |
 * | `mod_ts.cgi.memory`       | megabytes that a script in a thread may hold, 256 by default                                |
 * @module
 */
import { findScript } from "../cgi/script.ts";
import { ScriptHost } from "../cgi/script-host.ts";
import { type CgiSettings, readSettings } from "../cgi/settings.ts";
import type { Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";
import { oncePerSection } from "../section-options.ts";

/** The module that the reference `mod_ts/cgi` stands for, and its end. */
export interface Cgi {
  readonly module: { handler(req: ApacheRequest): Promise<Outcome> };
  /** Ends the scripts that still run, and the threads that wait. */
  close(): Promise<void>;
}

/** What the worker knows. */
export interface CgiOptions {
  /** Absolute paths of the folders that scripts may lie in. */
  readonly roots: readonly string[];
  /** Milliseconds after which the engine gives a handler up. */
  readonly handlerTimeout: number;
}

/** Makes the module. */
export function createCgi({ roots, handlerTimeout }: CgiOptions): Cgi {
  const settingsOf = oncePerSection((options) => readSettings(options, handlerTimeout));
  const hosts = new Map<string, ScriptHost>();
  const hostOf = (settings: CgiSettings): ScriptHost => {
    const key = JSON.stringify(settings);
    const host = hosts.get(key) ?? new ScriptHost(settings);
    hosts.set(key, host);
    return host;
  };
  return {
    module: {
      async handler(req) {
        const host = hostOf(settingsOf(req.getOptions()));
        const script = findScript(req.filename, roots);
        return typeof script === "number" ? script : host.serve(req, script);
      },
    },
    async close() {
      await Promise.all([...hosts.values()].map((host) => host.close()));
    },
  };
}
