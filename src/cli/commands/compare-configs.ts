/**
 * Rules for a reload of the configuration.
 *
 * Attack: a deployment that deletes the configuration file deletes the secret. With the defaults in
 * its place, every local user can speak for Apache.
 */
import { existsSync } from "node:fs";
import { ModTsError } from "../../base/errors.ts";
import type { ConfigListener, ResolvedConfig } from "../../config/config.ts";
import { connectionName } from "../../config/listeners.ts";

export interface ConfigComparison {
  /** Configuration of the open sockets. */
  started: ResolvedConfig;
  /** Configuration of the last reload. */
  accepted: ResolvedConfig;
  /** Whether `accepted` was read from a file. */
  hadFile: boolean;
  next: ResolvedConfig;
}

/**
 * The settings of `next` that need a restart. Throws `MODTS_RELOAD_REFUSED` if `next` lacks what
 * protects the sidecar, or how Apache reaches it.
 */
export function compareConfigs(comparison: ConfigComparison): string[] {
  const reason = findLost(comparison);
  if (reason !== undefined) throw new ModTsError("MODTS_RELOAD_REFUSED", reason);
  const { started, next } = comparison;
  const changed = configured(next)
    .filter((listener) => !isOpen(listener, started))
    .map(nameOf);
  const removed = Object.keys(started.connections).filter((name) => !next.connections[name]);
  changed.push(...removed.map((name) => `connections.${name}`));
  for (const name of ["run", "socketGroup"] as const) {
    if (started[name] !== next[name]) changed.push(name);
  }
  return [...new Set(changed)];

  function nameOf(listener: ConfigListener): string {
    if (listener.transport === "authorizer") return "authorizer";
    const connection = connectionName(listener.transport);
    if (connection !== undefined) return `connections.${connection}`;
    if (!Object.hasOwn(started.pools, listener.pool)) return `pools.${listener.pool}`;
    return "path" in listener.address ? "run" : "listen";
  }
}

function findLost({ started, accepted, hadFile, next }: ConfigComparison): string | undefined {
  if (hadFile && !existsSync(next.file)) return `there is no ${next.file} any more`;
  const lost = configured(started)
    .filter(({ transport }) => connectionName(transport) === undefined)
    .filter(({ transport, pool }) => !next.listeners.some(isFor(transport, pool)))
    .map(({ transport, pool }) => (transport === "authorizer" ? transport : `pools.${pool}`));
  if (hasTcpGateway(started) && !hasTcpGateway(next)) lost.push("listen");
  if (accepted.secret !== undefined && next.secret === undefined) lost.push("secret");
  return lost.length > 0 ? `${lost.join(", ")} missing in ${next.file}` : undefined;
}

/** Without the decider's, which follows from the others. */
function configured({ listeners }: ResolvedConfig): ConfigListener[] {
  return listeners.filter(({ transport }) => transport !== "decider");
}

function isFor(transport: string, pool: string): (listener: ConfigListener) => boolean {
  return (listener) =>
    listener.transport === transport && (transport === "authorizer" || listener.pool === pool);
}

function hasTcpGateway({ listeners }: ResolvedConfig): boolean {
  return listeners.some(({ transport, address }) => transport === "gateway" && "host" in address);
}

function isOpen(listener: ConfigListener, { listeners }: ResolvedConfig): boolean {
  return listeners.some((open) => JSON.stringify(open) === JSON.stringify(listener));
}
