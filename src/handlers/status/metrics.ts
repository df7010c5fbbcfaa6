/**
 * Metrics in the OpenMetrics format, by prom-client.
 *
 * Attack on the monitoring: labels that clients choose fill its database. Labels are pools, phases
 * and handler references, which the configuration names; workers are added up.
 */
import type { OpenMetricsContentType } from "prom-client";
import { durationBounds } from "../../base/counts.ts";
import {
  type PoolStatus,
  type SidecarStatus,
  type SocketStatus,
  socketsOf,
  type WorkerStatus,
} from "../../supervisor/status.ts";

type Labels = Record<string, string | number>;

interface Value {
  value: number;
  labels: Labels;
  metricName?: string;
}

interface Metric {
  name: string;
  help: string;
  type: "counter" | "gauge" | "histogram";
  values: Value[];
}

/** The body, and its type. The package is loaded at the first scrape. */
export async function formatMetrics(
  status: SidecarStatus,
): Promise<{ text: string; contentType: string }> {
  const { Registry } = await import("prom-client");
  const contentType = Registry.OPENMETRICS_CONTENT_TYPE;
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(contentType);
  for (const metric of metricsOf(status)) {
    // Not in its types: any object with a name and values works. prom-client changes the name of a counter.
    registry.registerMetric({ ...metric, get: async () => ({ ...metric }) } as never);
  }
  return { text: await registry.metrics(), contentType };
}

export function metricsOf(status: SidecarStatus): Metric[] {
  const { pools } = status;
  return [
    ...callMetrics(pools),
    ...eventMetrics(pools),
    ...poolMetrics(pools),
    ...socketMetrics(socketsOf(pools)),
    ...processMetrics(status),
  ];
}

function callMetrics(pools: readonly PoolStatus[]): Metric[] {
  const rows = pools.flatMap(({ name: pool, counts }) =>
    Object.entries(counts.calls).flatMap(([phase, handlers]) =>
      Object.entries(handlers).map(([handler, calls]) => ({
        labels: { pool, phase, handler },
        calls,
      })),
    ),
  );
  const name = "mod_ts_handler_duration_seconds";
  const durations = rows.flatMap(({ labels, calls }) => {
    let below = 0;
    const buckets = calls.buckets.map((count, index) => {
      below += count;
      const le = durationBounds[index] ?? "+Inf";
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: calls.seconds },
      { metricName: `${name}_count`, labels, value: calls.calls },
    ];
  });
  return [
    { name, help: "Duration of the calls of a handler", type: "histogram", values: durations },
    {
      name: "mod_ts_handler_errors",
      help: "Calls that threw, timed out, or returned 500 or more",
      type: "counter",
      values: rows.map(({ labels, calls }) => ({ labels, value: calls.errors })),
    },
  ];
}

/** By name: there from the start, as the first increase of a counter that appears with it is lost on Prometheus. */
const events: readonly (
  | readonly [string, string, string]
  | readonly [string, string, RegExp, label: string]
)[] = [
  ["mod_ts_responses", "Responses by class of status", /^responses_(...)$/, "class"],
  ["mod_ts_access_decisions", "Decisions on access", /^access_(\w+)$/, "decision"],
  ["mod_ts_refusals", "Denied accesses by reason", /^refused_(\w+)$/, "reason"],
  ["mod_ts_tickets_issued", "Tickets of access decisions", "tickets_issued"],
  ["mod_ts_passwords_refused", "Refused passwords", "passwords_refused"],
  ["mod_ts_sessions_opened", "Sessions opened by handlers", /^sessions_(\w+)$/, "kind"],
  ["mod_ts_error_lines", "Log lines of level error or more severe", "errors"],
  ["mod_ts_log_lines_lost", "Log lines that could not be written", "log_lines_lost"],
];

function eventMetrics(pools: readonly PoolStatus[]): Metric[] {
  return events.map(([name, help, event, label = ""]) => {
    const values = pools.flatMap(({ name: pool, counts }) => {
      if (typeof event === "string")
        return [{ value: counts.events[event] ?? 0, labels: { pool } }];
      return Object.entries(counts.events).flatMap(([each, value]) => {
        const part = event.exec(each)?.[1];
        return part === undefined ? [] : [{ value, labels: { pool, [label]: part } }];
      });
    });
    return { name, help, type: "counter", values };
  });
}

type Read<T> = (of: T) => number;

function sum(read: Read<WorkerStatus>): Read<PoolStatus> {
  return ({ workers }) => workers.reduce((total, worker) => total + read(worker), 0);
}

function most(read: Read<WorkerStatus>): Read<PoolStatus> {
  return ({ workers }) => Math.max(0, ...workers.map(read));
}

// oxfmt-ignore
const perWorker: readonly (readonly [string, string, typeof sum, Read<WorkerStatus>])[] = [
  ["mod_ts_connections", "Open connections of Apache", sum, ({ connections }) => connections],
  ["mod_ts_requests_active", "Requests being served", sum, ({ gauges }) => gauges?.active ?? 0],
  ["mod_ts_resident_memory_bytes", "Memory of the workers", sum, ({ gauges }) => gauges?.rss ?? 0],
  ["mod_ts_heap_bytes", "Used JavaScript heap", sum, ({ gauges }) => gauges?.heap ?? 0],
  ["mod_ts_event_loop_lag_seconds", "Longest delay of an event loop in the last second", most, ({ gauges }) => (gauges?.lag ?? 0) / 1000],
  ["mod_ts_event_loop_utilization", "Share of time in which the busiest event loop ran", most, ({ gauges }) => gauges?.utilization ?? 0],
];

function poolMetrics(pools: readonly PoolStatus[]): Metric[] {
  const perPool = (name: string, help: string, read: (pool: PoolStatus) => number): Metric => {
    const values = pools.map((pool) => ({ labels: { pool: pool.name }, value: read(pool) }));
    return { name, help, type: "gauge", values };
  };
  const states = ["starting", "ready", "blocked", "draining"] as const;
  return [
    {
      name: "mod_ts_workers",
      help: "Worker processes by state",
      type: "gauge",
      values: pools.flatMap(({ name: pool, workers }) =>
        states.map((state) => ({
          labels: { pool, state },
          value: workers.filter((worker) => worker.state === state).length,
        })),
      ),
    },
    perPool("mod_ts_workers_configured", "Configured worker processes", ({ wanted }) => wanted),
    perPool("mod_ts_connections_queued", "Connections that wait", ({ queued }) => queued),
    ...perWorker.map(([name, help, combine, read]) => perPool(name, help, combine(read))),
  ];
}

function socketMetrics(sockets: readonly SocketStatus[]): Metric[] {
  const per = (
    name: string,
    help: string,
    type: Metric["type"],
    read: (of: SocketStatus) => number,
  ): Metric => {
    const values = sockets.map((each) => ({
      labels: { pool: each.pool, socket: each.socket },
      value: read(each),
    }));
    return { name, help, type, values };
  };
  const name = "mod_ts_socket_connections";
  return [
    per(name, "Open connections of other protocols", "gauge", ({ open }) => open),
    per(`${name}_accepted`, "Connections accepted", "counter", ({ accepted }) => accepted),
    per(`${name}_refused`, "Connections over the limit", "counter", ({ refused }) => refused),
  ];
}

function gauge(name: string, help: string, value: number, labels: Labels = {}): Metric {
  return { name, help, type: "gauge", values: [{ value, labels }] };
}

function processMetrics(status: SidecarStatus): Metric[] {
  const { version, node, lastReload, generation, startedAt, rss, state } = status;
  return [
    gauge("mod_ts_build_info", "Versions", 1, { version, node }),
    gauge("mod_ts_ready", "1 if every worker serves", state === "ready" ? 1 : 0),
    gauge("mod_ts_generation", "Reloads since the start, from 1", generation),
    gauge("mod_ts_start_time_seconds", "Start of the supervisor", startedAt / 1000),
    gauge("mod_ts_supervisor_resident_memory_bytes", "Memory of the supervisor", rss),
    ...(lastReload
      ? [
          gauge("mod_ts_last_reload_timestamp_seconds", "Last reload", lastReload.at / 1000),
          gauge("mod_ts_last_reload_successful", "1 if it succeeded", lastReload.ok ? 1 : 0),
        ]
      : []),
  ];
}
