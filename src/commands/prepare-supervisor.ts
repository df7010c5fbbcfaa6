/**
 * What `start` and `dev` have in common: from a folder to a supervisor.
 * @module
 */
import { loadConfig } from "../config-file.ts";
import { type Config, groupId, type ResolvedConfig } from "../config.ts";
import { log, subscribeLog } from "../log.ts";
import { createSupervisor, type Supervisor, type SupervisorSettings } from "../supervisor.ts";

/** A supervisor that has not started, and the configuration it will start with. */
export interface Prepared {
  supervisor: Supervisor;
  config: ResolvedConfig;
}

/**
 * Reads the configuration of a folder (or a file), starts writing the log to standard error, and makes the supervisor, which
 * reads the same configuration again at each reload. `overrides` win over the file, which wins over `defaults`. Throws what `loadConfig` throws.
 */
export async function prepareSupervisor(
  path: string,
  overrides: Config = {},
  defaults: Config = {},
): Promise<Prepared> {
  const config = await loadConfig(path, overrides, defaults);
  // Whoever reads the log may go away (a pager, a restarted journal); an unheard line is no reason to end.
  process.stderr.on("error", () => {});
  let stopLog = subscribeLog(config.log.level);
  const reread = async (): Promise<SupervisorSettings> => {
    const next = await loadConfig(path, overrides, defaults);
    warnOfRestart(config, next);
    stopLog();
    stopLog = subscribeLog(next.log.level);
    return settings(next);
  };
  const { run, listeners, socketGroup } = config;
  const group = socketGroup === undefined ? undefined : groupId(socketGroup);
  return {
    config,
    supervisor: createSupervisor({ ...settings(config), run, listeners, group, reread }),
  };
}

function settings(config: ResolvedConfig): SupervisorSettings {
  const { pools, keepAlive, limits, secret } = config;
  return {
    pools,
    config,
    linger: keepAlive,
    // A request may come in the last moment of the lingering, and then has the time of any other.
    drainTimeout: keepAlive + limits.handlerTimeout,
    secured: secret !== undefined,
  };
}

/** The sockets stay open over a reload: that is what makes it lossless, and what keeps them where they are. */
function warnOfRestart(before: ResolvedConfig, after: ResolvedConfig): void {
  for (const name of ["run", "listeners", "socketGroup"] as const) {
    if (JSON.stringify(before[name]) === JSON.stringify(after[name])) continue;
    const words = name === "listeners" ? "listen, or the names of pools," : name;
    log("warn", `${words} changed in ${after.file}: that needs a restart, not a reload`);
  }
}
