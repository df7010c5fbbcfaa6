/** The supervisor for `start` and `dev`. */
import { existsSync } from "node:fs";
import { loadConfig } from "../../config/config-file.ts";
import type { Config, ResolvedConfig } from "../../config/config.ts";
import { groupId } from "../../config/listeners.ts";
import { type LogOutput, openLog } from "../../base/log-output.ts";
import { protectStreams } from "../../base/log-sink.ts";
import { hideInLog } from "../../base/redact.ts";
import { compareConfigs } from "./compare-configs.ts";
import {
  createSupervisor,
  type Supervisor,
  type SupervisorOptions,
  type SupervisorSettings,
} from "../../supervisor/supervisor.ts";

export interface Prepared {
  supervisor: Supervisor;
  config: ResolvedConfig;
}

/**
 * Reads the configuration of a directory or file, opens the log, and creates the
 * supervisor, which reads the configuration again at each reload. `overrides` take precedence over
 * the file, the file over `defaults`. With
 * `inspect`, debuggers can attach to the workers. Throws like `loadConfig`.
 */
export async function prepareSupervisor(
  path: string,
  overrides: Config = {},
  defaults: Config = {},
  inspect?: SupervisorOptions["inspect"],
): Promise<Prepared> {
  process.title = "mod-ts: supervisor";
  const config = await loadConfig(path, overrides, defaults);
  protectStreams();
  let output = await openSupervisorLog(config);
  let accepted = config;
  let hadFile = existsSync(config.file);
  const reread = async (): Promise<SupervisorSettings> => {
    const next = await loadConfig(path, overrides, defaults);
    const restart = compareConfigs({ started: config, accepted, hadFile, next });
    accepted = next;
    hadFile ||= existsSync(next.file);
    output.close();
    output = await openSupervisorLog(next);
    return { ...settings(next, inspect !== undefined), restart };
  };
  const { run, directory, listeners, socketGroup } = config;
  const group = socketGroup === undefined ? undefined : groupId(socketGroup);
  return {
    config,
    supervisor: createSupervisor({
      ...settings(config, inspect !== undefined),
      run,
      directory,
      listeners,
      group,
      inspect,
      listenAt: config.listenAt,
      readyTimeout: config.limits.readyTimeout,
      reread,
      reopenLog: () => output.reopen(),
    }),
  };
}

function openSupervisorLog({ log, secret, secrets }: ResolvedConfig): Promise<LogOutput> {
  hideInLog([secret ?? "", ...Object.values(secrets)]);
  return openLog(log, { room: "supervisor" });
}

function settings(config: ResolvedConfig, isInspected: boolean): SupervisorSettings {
  const { keepAlive, limits, secret } = config;
  const { overdueHandlers } = limits;
  const pools = Object.entries(config.pools).map(([name, pool]) => [
    name,
    // Two processes cannot share the port of a debugger.
    { ...pool, overdueHandlers, ...(isInspected && { workers: 1 }) },
  ]);
  return {
    pools: Object.fromEntries(pools) as SupervisorSettings["pools"],
    config,
    linger: keepAlive,
    // A request may arrive at the end of the linger time.
    drainTimeout: keepAlive + limits.handlerTimeout,
    secured: secret !== undefined,
  };
}
