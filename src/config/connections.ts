/** Sockets of the sidecar's own, for protocols other than HTTP: their configuration. */
import { accessSync, constants } from "node:fs";
import { resolve } from "node:path";
import type { ConnectionSettings } from "../connections/connections.ts";
import { type ConfigListener, connectionPrefix } from "./listeners.ts";
import { defined } from "./pools.ts";

/** A socket, served by the `connectionHandler` of a module. */
export interface ConnectionConfig {
  /** Handler reference, e.g. `echo.ts`; the export is `connectionHandler` by default. */
  run: string;
  /** Address to listen on. @default "127.0.0.1" */
  host?: string;
  /** Required, unless there is a {@link path}. */
  port?: number;
  /** Unix socket instead of host and port, relative to the configuration file; for the `socketGroup`. */
  path?: string;
  /** Pool whose workers serve the connections. @default "main" */
  pool?: string;
  /** Files with certificate and key in PEM, relative to the configuration file. @default none: no TLS */
  tls?: { certFile: string; keyFile: string };
  /** Connections of a worker at a time; further ones are closed. @default 1000 */
  limit?: number;
  /** Milliseconds without a byte in either direction; 0: no limit. @default 300_000 */
  idleTimeout?: number;
}

/** Plain data that survives IPC. */
export interface ResolvedConnection extends ConnectionSettings {
  readonly address: ConfigListener["address"];
}

const defaultHost = "127.0.0.1";

const defaults = { pool: "main", limit: 1000, idleTimeout: 300_000 };

export function resolveConnections(
  input: Readonly<Record<string, ConnectionConfig>> = {},
  directory: string,
): Record<string, ResolvedConnection> {
  const resolved = Object.entries(input).map(([name, { tls, host, port, path, ...each }]) => {
    const files = tls && {
      certFile: resolve(directory, tls.certFile),
      keyFile: resolve(directory, tls.keyFile),
    };
    const address =
      path === undefined
        ? { host: host ?? defaultHost, port: port ?? 0 }
        : { path: resolve(directory, path) };
    return [name, { ...defaults, ...defined(each), run: each.run, address, tls: files }] as const;
  });
  return Object.fromEntries(resolved);
}

export function connectionListeners(
  connections: Readonly<Record<string, ResolvedConnection>>,
): ConfigListener[] {
  return Object.entries(connections).map(([name, { pool, address }]) => ({
    pool,
    transport: `${connectionPrefix}${name}`,
    address,
  }));
}

/** Each listens at a port or a path. */
export function judgeAddresses(
  input: Readonly<Record<string, ConnectionConfig>> = {},
  mistakes: string[],
): void {
  for (const [name, { host, port, path }] of Object.entries(input)) {
    const hasAddress = host !== undefined || port !== undefined;
    if (path === undefined && port === undefined) {
      mistakes.push(`connections.${name} needs a port or a path`);
    } else if (path !== undefined && hasAddress) {
      mistakes.push(`connections.${name}.path: a Unix socket has neither host nor port`);
    }
  }
}

/** @param pools names of pools that may serve */
export function judgeConnections(
  connections: Readonly<Record<string, ResolvedConnection>>,
  pools: readonly string[],
  mistakes: string[],
): void {
  for (const [name, { pool, tls }] of Object.entries(connections)) {
    if (!pools.includes(pool)) {
      mistakes.push(
        `connections.${name}.pool: no pool ${pool}; expected one of ${pools.join(", ")}`,
      );
    }
    for (const file of tls ? [tls.certFile, tls.keyFile] : []) {
      try {
        accessSync(file, constants.R_OK);
      } catch (error) {
        mistakes.push(`connections.${name}.tls: ${(error as Error).message}`);
      }
    }
  }
}
