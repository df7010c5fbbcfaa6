/** Listening sockets of a configuration, and the group that may open them. */
import { constants, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { attempt } from "../base/attempt.ts";
import { canAccess } from "../base/files.ts";

export interface ConfigListener {
  pool: string;
  /**
   * `gateway` is HTTP from mod_proxy, `authorizer` FastCGI from mod_authnz_fcgi, `decider` SCGI;
   * `connection.name` is no transport of Apache's.
   */
  transport: string;
  address: { path: string } | { host: string; port: number };
  /** Workers accept connections themselves. */
  shared?: boolean;
  /** File that exists while the socket listens. */
  marker?: string;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** One for each pool. */
export function listeners(
  pools: readonly string[],
  listen: Address | undefined,
  run: string,
): ConfigListener[] {
  const names = ["main", ...pools.filter((name) => name !== "main").toSorted()];
  return names.map((pool, index) => ({
    pool,
    transport: "gateway",
    address: listen
      ? { host: listen.host, port: listen.port + index }
      : { path: join(run, `${pool}.sock`) },
  }));
}

export function authorizers(
  authorizer: { host?: string; port: number } | undefined,
  run: string,
  pool: string,
  development = false,
): ConfigListener[] {
  if (!authorizer) return [];
  const address = { host: authorizer.host ?? "127.0.0.1", port: authorizer.port };
  // mod_authnz_fcgi responds 500 to a closed port: mod_ts.conf tests this file, and responds 503.
  const marker = join(run, "authorizer.listening");
  // One connection per request, so workers accept themselves; in development, outdated ones do not.
  return [{ pool, transport: "authorizer", address, shared: !development, marker }];
}

/** The decider listens on a Unix socket only. */
export function deciders(
  listen: Address | undefined,
  run: string,
  pool: string,
  development = false,
): ConfigListener[] {
  if (listen) return [];
  const address = { path: join(run, "decide.sock") };
  return [{ pool, transport: "decider", address, shared: !development }];
}

/** Before the name of a socket of the sidecar's own, in its transport. */
export const connectionPrefix = "connection.";

/** The name of a socket by its transport; undefined for the transports of Apache. */
export function connectionName(transport: string): string | undefined {
  return transport.startsWith(connectionPrefix)
    ? transport.slice(connectionPrefix.length)
    : undefined;
}

/** Addresses that bind() would refuse, or that two sockets want. */
export function judgeListeners(sockets: readonly ConfigListener[], mistakes: string[]): void {
  const paths = new Set<string>();
  for (const { pool, transport, address } of sockets) {
    if ("port" in address) {
      if (address.port <= 65_535) continue;
      mistakes.push(`listen.port: pool ${pool} would get port ${address.port}, more than 65535`);
      continue;
    }
    const { path } = address;
    const name = connectionName(transport);
    const option = name === undefined ? "run" : `connections.${name}.path`;
    if (paths.has(path)) mistakes.push(`${option}: ${path} is the path of another socket`);
    paths.add(path);
    // sun_path holds 108 bytes with its final zero; bind() would fail with an obscure message.
    const bytes = Buffer.byteLength(path);
    if (bytes <= 107) continue;
    mistakes.push(
      `${option}: the socket path ${path} has ${bytes} bytes, more than 107; choose a shorter one`,
    );
  }
}

/** Directory of the sockets of a configuration that names none. */
export function defaultRunDirectory(directory: string, name?: string): string {
  const shared = name === undefined ? "/run/mod-ts" : `/run/mod-ts-${name}`;
  const isWritable = canAccess(existsSync(shared) ? shared : dirname(shared), constants.W_OK);
  return isWritable ? shared : join(directory, ".mod-ts", "run");
}

/** The group of httpd, by the names that distributions give it. */
export function defaultGroup(): string | undefined {
  return ["www-data", "apache", "httpd"].find((name) => groupId(name) !== undefined);
}

/** Id of a group by name or number, from `/etc/group`; undefined if there is none. */
export function groupId(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const line = attempt(() => readFileSync("/etc/group", "utf8"), "")
    .split("\n")
    .find((candidate) => candidate.startsWith(`${name}:`));
  return line === undefined ? undefined : Number(line.split(":")[2]);
}
