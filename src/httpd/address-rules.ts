/** Rules on the addresses and times that Apache and the sidecar must agree on. */
import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { attempt } from "../base/attempt.ts";
import { suggestion } from "../base/did-you-mean.ts";
import { isNamed } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import type { MergedConfig } from "./merged-config.ts";
import { type PoolAddress, readAddresses } from "./our-directives.ts";

export interface SidecarAddresses {
  file: string;
  /** Where Apache has several. @default none: that of `mod_ts.conf` itself */
  name?: string;
  run: string;
  /** Sockets (paths) or ports of the pools by name. */
  pools: Readonly<Record<string, string | number>>;
  /** Port for access control. */
  authorizer: number | undefined;
  /** Milliseconds. */
  handlerTimeout: number;
}

const reinstall = "mod-ts conf --install --force, then reload Apache";

export function checkAddresses(config: MergedConfig, sidecar: SidecarAddresses): Finding[] {
  const { name = "", file } = sidecar;
  const { pools, authorizer } = readAddresses(config.tree, config.confFile, name);
  if (name !== "" && pools.length === 0) {
    const what = `Apache has no sidecar ${name}`;
    return [problem("sidecar-unknown", what, file, "mod-ts conf --install, then reload Apache")];
  }
  return [
    ...pools.flatMap((pool) => checkPool(config, pool, sidecar)),
    ...checkInterpreters(config, sidecar),
    ...pools.flatMap((pool) => checkTimeout(config, pool, sidecar)),
    ...(authorizer ? checkAuthorizer(config, authorizer, sidecar) : []),
  ];
}

function checkPool(
  config: MergedConfig,
  { name, address, where }: PoolAddress,
  { file, run, pools, name: sidecar = "" }: SidecarAddresses,
): Finding[] {
  const isMain = name === "main";
  // A balancer or another address of the administrator's own.
  if (isMain && !usesMain(config, address)) return [];
  const path = /^unix:(.*)$/.exec(address)?.[1];
  if (path === undefined) return checkPort(address, where, pools);
  const expected = pools[name];
  if (expected === undefined) {
    const what = `${file} has no pool ${name}${suggestion(name, Object.keys(pools))}`;
    const todo = `pools: { ${name}: { workers: 1 } } in it and mod-ts upgrade, or remove the pool in Apache`;
    return [problem("pool-unknown", what, where, todo)];
  }
  if (
    expected === path ||
    (typeof expected === "string" && isSame(dirname(path), dirname(expected)))
  ) {
    return [];
  }
  const what =
    typeof expected === "number"
      ? `Apache connects to ${path}, but the sidecar of ${file} listens on port ${expected}`
      : `${sidecar === "" ? "MOD_TS_RUN" : `the directory of ${sidecar}`} is ${dirname(path)}, but the sidecar of ${file} has its sockets in ${run}`;
  const todo = `${reinstall}; or check the directory of the other sidecar`;
  const line = config.whereDefined("MOD_TS_RUN", dirname(path)) ?? where;
  return isMain ? [problem("run-differs", what, line, todo)] : [];
}

/** Whether requests go to the address of `mod_ts.conf`: its variable may be set again. */
function usesMain({ tree }: MergedConfig, address: string): boolean {
  const lines = tree.filter((each) => isNamed(each, "SetEnvIf", "SetEnvIfExpr"));
  const values = lines.flatMap(
    ({ args }) => /"MOD_TS_BACKEND=proxy:([^"]*)"/.exec(args)?.[1] ?? [],
  );
  return values.at(-1)?.startsWith(address) ?? true;
}

function checkPort(address: string, where: string, pools: SidecarAddresses["pools"]): Finding[] {
  const ports = Object.values(pools);
  const port = Number(/:(\d+)$/.exec(address)?.[1]);
  if (ports.includes(port)) return [];
  const listed = ports.join(", ");
  const what = `Apache connects to ${address}, but the sidecar listens on ${listed}`;
  return [problem("pool-unknown", what, where, `correct the port, or listen in mod-ts.config.ts`)];
}

/** Symbolic links: `/var/run` is `/run`. */
function isSame(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => attempt(() => realpathSync(path), path));
  return first === second;
}

/** The sidecar compares the name, too. */
function checkInterpreters(
  config: MergedConfig,
  { file, pools, name: sidecar = "" }: SidecarAddresses,
): Finding[] {
  // A line names no sidecar: httpd itself compares pools of others.
  const names = [sidecar, ...config.lines.map((line) => line.sidecar)];
  const known = names.flatMap((each) =>
    readAddresses(config.tree, config.confFile, each).pools.map(({ name }) => name),
  );
  return config.lines.flatMap(({ kind, value, where }) => {
    if (kind !== "interpreter" || pools[value] !== undefined || known.includes(value)) return [];
    const what = `${file} has no pool ${value}${suggestion(value, Object.keys(pools))}`;
    const todo = "add it to pools, then mod-ts upgrade, or use another pool";
    return [problem("pool-unknown", what, where, todo)];
  });
}

/** The sidecar must give up first: it knows the reason. */
function checkTimeout(
  config: MergedConfig,
  { timeout, name, where }: PoolAddress,
  { handlerTimeout }: SidecarAddresses,
): Finding[] {
  if (timeout === undefined || name !== "main" || timeout * 1000 > handlerTimeout) return [];
  const seconds = handlerTimeout / 1000;
  const what = `Apache gives up after ${timeout} s (MOD_TS_TIMEOUT), a handler has ${seconds} s (limits.handlerTimeout): a slow response is 502`;
  const line = config.whereDefined("MOD_TS_TIMEOUT", String(timeout)) ?? where;
  return [problem("timeout-short", what, line, `Define MOD_TS_TIMEOUT ${Math.ceil(seconds) + 30}`)];
}

function checkAuthorizer(
  config: MergedConfig,
  { address, where }: { address: string; where: string },
  { authorizer, file, name = "" }: SidecarAddresses,
): Finding[] {
  const port = Number(/:(\d+)$/.exec(address)?.[1]);
  if (port === authorizer) return [];
  const actual =
    authorizer === undefined ? `${file} has no authorizer` : `the sidecar has port ${authorizer}`;
  const what = `${name === "" ? "MOD_TS_AUTHORIZER" : `the authorizer of ${name}`} is ${address}, but ${actual}: what guards protect is 503`;
  const todo =
    authorizer === undefined
      ? `authorizer: { port: ${port} } in it, and mod-ts upgrade`
      : reinstall;
  const line = config.whereDefined("MOD_TS_AUTHORIZER", address) ?? where;
  return [problem("authorizer-differs", what, line, todo)];
}
