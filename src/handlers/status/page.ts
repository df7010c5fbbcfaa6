/** The status page: state, plots of ten minutes, workers, handlers, errors, builds. */
import { addCalls, type CallCounts, emptyCalls, percentile } from "../../base/counts.ts";
import { escapeHtml as escape } from "../../base/html.ts";
import type { Sample } from "../../supervisor/observations.ts";
import {
  type PoolStatus,
  type SidecarStatus,
  type SocketStatus,
  socketsOf,
} from "../../supervisor/status.ts";
import { plot } from "./plot.ts";

/** Rows of the table of handlers. */
const maxHandlers = 100;

export function renderPage(status: SidecarStatus): string {
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escape(status.state)}: mod_ts status</title>
<link rel="stylesheet" href="?format=style">
<script src="?format=script" defer></script>
<noscript><meta http-equiv="refresh" content="5"></noscript>
</head><body><main>
${renderContent(status)}
</main></body></html>
`;
}

/** The part of the page that changes. */
export function renderContent(status: SidecarStatus): string {
  return [
    heading(status),
    plots(status.history),
    section("Pools and workers", workersTable(status.pools)),
    section("Handlers", handlersTable(status.pools)),
    ...socketsSection(socketsOf(status.pools)),
    section("Events", eventsTable(status.pools)),
    section("Recent errors", errorsTable(status)),
    section("Recent builds of handler modules", buildsTable(status)),
    `<footer><a href="?format=json">JSON</a> · <a href="?format=openmetrics">OpenMetrics</a> · Plots show the last ten minutes, counts the time since the start.</footer>`,
  ].join("\n");
}

function heading({ state, reasons, ...facts }: SidecarStatus): string {
  const list = reasons.map((reason) => `<li>${escape(reason)}</li>`).join("");
  const reload = facts.lastReload;
  const reloaded = reload
    ? `last reload ${span(facts.now - reload.at)} ago${reload.ok ? "" : ", <span class=failed>failed</span>"}`
    : "not reloaded yet";
  return `<header><h1>mod_ts</h1><span class="state ${state}">${state}</span>
<span class="soft">generation ${facts.generation} · up ${span(facts.now - facts.startedAt)} · ${reloaded} · supervisor ${facts.pid}, ${mebibytes(facts.rss)} · mod_ts ${escape(facts.version)}, Node.js ${escape(facts.node)}</span></header>
${list && `<ul class="reasons">${list}</ul>`}`;
}

function plots(history: readonly Sample[]): string {
  const last = history.at(-1);
  const seconds = intervalSeconds(history);
  return `<div class="plots">
${plot({ title: "Calls of handlers", value: last ? `${rate(last.calls / seconds)}/s` : "–", lines: [history.map(({ calls }) => calls / seconds)], format: (value) => `${rate(value)}/s` })}
${plot({ title: "Failed calls", value: last ? `${rate(last.errors / seconds)}/s` : "–", lines: [history.map(({ errors }) => errors / seconds)], format: (value) => `${rate(value)}/s` })}
${plot({ title: "Duration, p50 and p99", value: last ? `${duration(last.p50)}, ${duration(last.p99)}` : "–", lines: [history.map(({ p99 }) => p99), history.map(({ p50 }) => p50)], format: duration })}
${plot({ title: "Memory of the workers", value: last ? mebibytes(last.rss) : "–", lines: [history.map(({ rss }) => rss)], format: mebibytes })}
${plot({ title: "Event-loop delay", value: last ? duration(last.lag / 1000) : "–", lines: [history.map(({ lag }) => lag / 1000)], format: duration })}
</div>`;
}

function intervalSeconds(history: readonly Sample[]): number {
  const [last, before] = [history.at(-1), history.at(-2)];
  return last && before ? Math.max(1, (last.at - before.at) / 1000) : 5;
}

function workersTable(pools: readonly PoolStatus[]): string {
  const rows = pools.flatMap(({ name, wanted, queued, workers }) => {
    const ready = workers.filter(({ state }) => state === "ready").length;
    const head = `<tr><th>${escape(name)}</th><td colspan="8" class="soft">${ready} of ${wanted} serve, ${queued} connections wait</td></tr>`;
    const rest = workers.map(({ pid, generation, state, connections, age, gauges }) =>
      row([
        "",
        String(pid),
        `<span class="${state}">${state}</span>`,
        right(generation),
        right(connections),
        right(gauges?.active ?? "–"),
        right(gauges ? mebibytes(gauges.rss) : "–"),
        right(
          gauges
            ? `${Math.round(gauges.utilization * 100)} %, ${duration(gauges.lag / 1000)}`
            : "–",
        ),
        right(span(age * 1000)),
      ]),
    );
    return [head, ...rest];
  });
  const names = [
    "Pool",
    "Process",
    "State",
    "#Generation",
    "#Connections",
    "#Requests",
    "#Memory",
    "#Busy, delay",
    "#Age",
  ];
  return table(names, rows);
}

function handlersTable(pools: readonly PoolStatus[]): string {
  const sums = new Map<string, { phase: string; handler: string; calls: CallCounts }>();
  for (const { counts } of pools) {
    for (const [phase, handlers] of Object.entries(counts.calls)) {
      for (const [handler, calls] of Object.entries(handlers)) {
        const key = `${phase} ${handler}`;
        const sum = sums.get(key) ?? { phase, handler, calls: emptyCalls() };
        addCalls(sum.calls, calls);
        sums.set(key, sum);
      }
    }
  }
  const sorted = [...sums.values()].toSorted((a, b) => b.calls.calls - a.calls.calls);
  const rows = sorted
    .slice(0, maxHandlers)
    .map(({ phase, handler, calls }) =>
      row([
        `<code>${escape(handler)}</code>`,
        phase,
        right(count(calls.calls)),
        right(calls.errors > 0 ? `<span class="failed">${count(calls.errors)}</span>` : "0"),
        right(duration(percentile(calls, 0.5))),
        right(duration(percentile(calls, 0.99))),
        right(duration(calls.longest)),
      ]),
    );
  return table(["Handler", "Phase", "#Calls", "#Failed", "#p50", "#p99", "#Longest"], rows);
}

/** Absent where no socket of the sidecar's own had a connection. */
function socketsSection(sockets: readonly SocketStatus[]): string[] {
  if (sockets.length === 0) return [];
  const rows = sockets.map(({ socket, pool, open, accepted, refused }) =>
    row([escape(socket), escape(pool), right(open), right(count(accepted)), right(count(refused))]),
  );
  const names = ["Socket", "Pool", "#Open", "#Accepted", "#Refused"];
  return [section("Connections of other protocols", table(names, rows))];
}

function eventsTable(pools: readonly PoolStatus[]): string {
  const sums = new Map<string, number>();
  for (const { counts } of pools) {
    for (const [name, value] of Object.entries(counts.events)) {
      if (name.startsWith("connections_")) continue;
      sums.set(name, (sums.get(name) ?? 0) + value);
    }
  }
  const rows = [...sums].toSorted().map(([name, value]) => {
    const words = name.replaceAll("_", " ");
    return row([escape(words.charAt(0).toUpperCase() + words.slice(1)), right(count(value))]);
  });
  return table(["Event", "#Count"], rows);
}

function errorsTable({ errors, now }: SidecarStatus): string {
  const rows = errors.slice(0, 20).map((error) => {
    const place = error.place
      ? `<pre>${escape(error.place)}\n${escape(error.source ?? "")}</pre>`
      : "";
    const id = error.uniqueId ? ` <span class="soft">[id ${escape(error.uniqueId)}]</span>` : "";
    return row([
      `${span(now - error.at)} ago`,
      `${escape(error.pool)} ${error.pid}`,
      `<code>${escape(error.code ?? error.level)}</code>`,
      { text: `${escape(error.message)}${id}${place}` },
    ]);
  });
  return table(["Time", "Worker", "Code", "Message"], rows);
}

function buildsTable({ builds, now }: SidecarStatus): string {
  const rows = builds.slice(0, 10).map((build) =>
    row([
      `${span(now - build.at)} ago`,
      `${escape(build.pool)} ${build.pid}`,
      `version ${build.version}`,
      right(duration(build.duration / 1000)),
      {
        text: `<code>${escape(build.file)}</code>${build.error ? `<pre class="failed">${escape(build.error)}</pre>` : ""}`,
      },
    ]),
  );
  return table(["Time", "Worker", "Version", "#Took", "Module"], rows);
}

function section(title: string, content: string): string {
  return `<h2>${title}</h2>\n<div class="scroll" role="region" aria-label="${title}" tabindex="0">${content}</div>`;
}

/** A name that begins with # is that of a column of numbers. */
function table(names: readonly string[], rows: readonly string[]): string {
  if (rows.length === 0) return '<p class="none">none</p>';
  const head = names.map((name) =>
    name.startsWith("#") ? `<th class="number">${name.slice(1)}</th>` : `<th>${name}</th>`,
  );
  return `<table><thead><tr>${head.join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table>`;
}

type Cell = string | { number: string } | { text: string };

function row(cells: readonly Cell[]): string {
  const shown = cells.map((cell) => {
    if (typeof cell === "string") return `<td>${cell}</td>`;
    return "number" in cell
      ? `<td class="number">${cell.number}</td>`
      : `<td class="text">${cell.text}</td>`;
  });
  return `<tr>${shown.join("")}</tr>`;
}

function right(value: string | number): Cell {
  return { number: String(value) };
}

function count(value: number): string {
  return value.toLocaleString("en");
}

function rate(value: number): string {
  return value >= 100 ? count(Math.round(value)) : value.toFixed(value === 0 ? 0 : 1);
}

/** E.g. `1.2 ms`, `3.4 s`. */
export function duration(seconds: number): string {
  if (seconds === 0) return "0";
  if (seconds < 1) {
    const milliseconds = seconds * 1000;
    return `${milliseconds < 10 ? milliseconds.toPrecision(2) : Math.round(milliseconds)} ms`;
  }
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

/** E.g. `2 h 5 min`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? `${hours} h ${minutes % 60} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
