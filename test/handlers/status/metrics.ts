import t from "tap";
import { formatMetrics, metricsOf } from "../../../src/handlers/status/metrics.ts";
import { sampleStatus } from "../../fixtures/status-sample.ts";

t.test("labels are pools, phases, handlers and classes: no process, no client", async (t) => {
  const names = metricsOf(sampleStatus()).flatMap(({ values }) =>
    values.flatMap(({ labels }) => Object.keys(labels)),
  );
  t.same([...new Set(names)].toSorted(), [
    "class",
    "decision",
    "handler",
    "kind",
    "le",
    "node",
    "phase",
    "pool",
    "reason",
    "socket",
    "state",
    "version",
  ]);
});

t.test("OpenMetrics, as Prometheus reads it", async (t) => {
  const { text, contentType } = await formatMetrics(sampleStatus());
  t.match(contentType, "application/openmetrics-text");
  const labels = `pool="main",phase="handler",handler="<b>.ts"`;
  for (const line of [
    `mod_ts_handler_duration_seconds_bucket{${labels},le="0.005"} 1`,
    `mod_ts_handler_duration_seconds_bucket{${labels},le="60"} 1`,
    `mod_ts_handler_duration_seconds_bucket{${labels},le="+Inf"} 2`,
    `mod_ts_handler_duration_seconds_count{${labels}} 2`,
    `mod_ts_handler_errors_total{${labels}} 1`,
    `mod_ts_responses_total{pool="main",class="2xx"} 1234`,
    `mod_ts_access_decisions_total{pool="main",decision="denied"} 5`,
    `mod_ts_refusals_total{pool="main",reason="authz"} 4`,
    `mod_ts_workers{pool="main",state="ready"} 1`,
    `mod_ts_event_loop_lag_seconds{pool="main"} 0.012`,
    `mod_ts_socket_connections{pool="main",socket="<echo>"} 1`,
    `mod_ts_socket_connections_accepted_total{pool="main",socket="<echo>"} 3`,
    `mod_ts_socket_connections_refused_total{pool="main",socket="<echo>"} 2`,
    `mod_ts_last_reload_successful 0`,
    // Never happened yet: Prometheus would not see the first increase of a counter that appears with it.
    `mod_ts_log_lines_lost_total{pool="main"} 0`,
    `mod_ts_error_lines_total{pool="main"} 0`,
    "# EOF",
  ]) {
    t.ok(text.split("\n").includes(line), line);
  }
});

t.test(
  "before the first request and the first reload there are no values, and no errors",
  async (t) => {
    const status = { ...sampleStatus(), pools: [], lastReload: null };
    const names = metricsOf(status).filter(({ values }) => values.length > 0);
    t.same(
      names.map(({ name }) => name),
      [
        "mod_ts_build_info",
        "mod_ts_ready",
        "mod_ts_generation",
        "mod_ts_start_time_seconds",
        "mod_ts_supervisor_resident_memory_bytes",
      ],
      "the process is all that is known",
    );
  },
);
