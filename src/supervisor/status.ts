/** The status of a sidecar: for the page, `mod-ts status`, metrics and health checks. */
import { attempt } from "../base/attempt.ts";
import type { Counts } from "../base/counts.ts";
import { version } from "../base/version.ts";
import { formatAddress, type ListenerOptions } from "./listener.ts";
import type { Observations, PoolNote, Sample } from "./observations.ts";
import type { BuildNote, ErrorNote, WorkerGauges } from "./report.ts";

/**
 * `ready`: every worker serves. `degraded`: every pool serves, with fewer workers than configured or
 * after a reload that failed. `down`: a pool has no worker that serves.
 */
export type SidecarState = "ready" | "degraded" | "down";

/** Plain data. Times are milliseconds since 1970, durations are seconds, sizes are bytes. */
export interface SidecarStatus {
  state: SidecarState;
  /** Why it is not `ready`, in words. */
  reasons: string[];
  /** Version of mod_ts. */
  version: string;
  node: string;
  /** Of the supervisor. */
  pid: number;
  /** Resident memory of the supervisor. */
  rss: number;
  now: number;
  startedAt: number;
  generation: number;
  /** Null before the first one. */
  lastReload: ReloadNote | null;
  listeners: { pool: string; transport: string; address: string }[];
  pools: PoolStatus[];
  /** Newest first. */
  errors: readonly (ErrorNote & PoolNote)[];
  /** Handler modules, newest first. */
  builds: readonly (BuildNote & PoolNote)[];
  /** Oldest first. */
  history: readonly Sample[];
}

export interface ReloadNote {
  at: number;
  ok: boolean;
  /** Why it failed. */
  message?: string;
}

export interface PoolStatus {
  name: string;
  /** Configured number of workers. */
  wanted: number;
  /** Connections that wait for a worker. */
  queued: number;
  workers: WorkerStatus[];
  counts: Counts;
}

export interface WorkerStatus {
  pid: number;
  generation: number;
  state: "starting" | "ready" | "blocked" | "draining";
  /** Open connections of Apache. */
  connections: number;
  /** Seconds since it was ready; 0 before. */
  age: number;
  /** Missing until its first report. */
  gauges?: WorkerGauges;
}

/** What a supervisor knows. */
export interface StatusFacts {
  pools: readonly Omit<PoolStatus, "counts">[];
  observations: Observations;
  listeners: readonly ListenerOptions[];
  generation: number;
  lastReload: ReloadNote | null;
  startedAt: number;
}

export function composeStatus(composed: StatusFacts): SidecarStatus {
  const { pools, observations, listeners, ...facts } = composed;
  const observed = pools.map((pool): PoolStatus => ({
    ...pool,
    workers: pool.workers.map((worker) => {
      const gauges = observations.gauges(worker.pid);
      return gauges ? { ...worker, gauges } : worker;
    }),
    counts: observations.counts(pool.name),
  }));
  const { errors, builds, history } = observations;
  return {
    ...judgeState(observed, facts.lastReload),
    version,
    node: process.version,
    pid: process.pid,
    rss: attempt(() => process.memoryUsage.rss(), 0),
    now: Date.now(),
    ...facts,
    listeners: listeners.map(({ pool, transport, address }) => ({
      pool,
      transport,
      address: formatAddress(address),
    })),
    pools: observed,
    errors,
    builds,
    history,
  };
}

/** The state of the whole, and why. */
export function judgeState(
  pools: readonly PoolStatus[],
  lastReload: ReloadNote | null,
): { state: SidecarState; reasons: string[] } {
  const reasons: string[] = [];
  let state: SidecarState = "ready";
  for (const { name, wanted, workers } of pools) {
    const ready = workers.filter((worker) => worker.state === "ready").length;
    if (ready >= wanted) continue;
    reasons.push(`pool ${name}: ${ready} of ${wanted} workers serve`);
    state = ready === 0 ? "down" : state === "down" ? state : "degraded";
  }
  if (lastReload?.ok === false) {
    reasons.push(`the last reload failed: ${lastReload.message ?? "unknown reason"}`);
    if (state === "ready") state = "degraded";
  }
  return { state, reasons };
}

/** Connections of a socket of the sidecar's own. */
export interface SocketStatus {
  pool: string;
  socket: string;
  open: number;
  accepted: number;
  refused: number;
}

/** Those of all sockets that had a connection. */
export function socketsOf(pools: readonly PoolStatus[]): SocketStatus[] {
  return pools.flatMap(({ name: pool, workers, counts: { events } }) => {
    const named = Object.keys(events).flatMap((event) => {
      return /^connections_(?:accepted|refused)_(.+)$/.exec(event)?.[1] ?? [];
    });
    return [...new Set(named)].map((socket) => ({
      pool,
      socket,
      open: workers.reduce((sum, { gauges }) => sum + (gauges?.sockets?.[socket] ?? 0), 0),
      accepted: events[`connections_accepted_${socket}`] ?? 0,
      refused: events[`connections_refused_${socket}`] ?? 0,
    }));
  });
}
