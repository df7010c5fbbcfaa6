/**
 * The newest of `bench/results/` as the tables of docs/performance.md, in short in README.md, and as docs/performance.svg:
 * `npm run bench:plot`, or of one file: `node bench/plot.ts bench/results/<date>.json`.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { escapeHtml } from "../src/base/html.ts";
import { find, type Measured, type Result } from "./result.ts";

const project = join(import.meta.dirname, "..");
const results = join(import.meta.dirname, "results");
/** What is between them is written by this program. */
const [begin, end] = ["<!-- results -->", "<!-- end of results -->"];

const subjects: Readonly<Record<string, string>> = {
  hello: "Hello handler",
  page: "Page of 200 rows",
  json: "JSON of 10 KB",
  counter: "Session counter",
};

const newest = readdirSync(results).toSorted().at(-1);
const file = process.argv[2] ?? join(results, newest ?? "");
const result = JSON.parse(readFileSync(file, "utf8")) as Result;
writeFileSync(join(project, "docs/performance.svg"), svg(result.cases));
publish("docs/performance.md", text(result));
publish("README.md", summary(result));

function publish(name: string, written: string): void {
  const page = join(project, name);
  const [before = "", rest = ""] = readFileSync(page, "utf8").split(begin);
  const after = rest.split(end)[1] ?? "";
  writeFileSync(page, `${before}${begin}\n\n${written}\n\n${end}${after}`);
  execFileSync(join(project, "node_modules/.bin/oxfmt"), [page]);
}

function text({ date, machine, versions, run, cases, memory, aims }: Result): string {
  const missed = aims.filter(({ met }) => met === false);
  const judged = aims.filter(({ met }) => met !== null);
  const names = Object.entries(versions).map((pair) => pair.join(" "));
  return `Run of ${date.slice(0, 10)}: ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, Linux ${machine.kernel}; ${run.connections} connections, ${run.workers} workers, ${run.rounds} × ${run.seconds} s each (medians).
${busyNote(machine)}Versions: ${names.join(", ")}.

## CPU and requests per second

${table(
  ["what", "server", "MPM", "CPU µs/request", "requests/s", "p99 ms"],
  sorted(cases).map(({ subject, who, mpm, cpu, rate, p99 }) => [
    subject,
    who === "mod_ts" ? "**mod_ts**" : who,
    mpm === "none" ? "no httpd" : mpm,
    Math.round(cpu).toLocaleString("en"),
    Math.round(rate).toLocaleString("en"),
    p99.toFixed(1),
  ]),
)}

## Where others need less CPU

${losses(cases)}

## Memory

Proportional set size: supervisor ${memory.supervisor.toFixed(0)} MiB, an idle worker ${memory.worker.toFixed(0)} MiB.
${memory.reloads} reloads of a saved handler change the worker by ${memory.workerGrowth.toFixed(1)} MiB and the supervisor by ${memory.supervisorGrowth.toFixed(1)} MiB.

## Goals

${missed.length} of ${judged.length} goals are missed.
Ratios in CPU are the other's CPU divided by that of mod_ts: above 1, mod_ts needs less.

${table(
  ["goal", "wanted", "measured", "met"],
  aims.map(({ aim, wanted, is, met }) => [
    aim,
    wanted || "no goal",
    is,
    met === null ? "" : met ? "yes" : "**no**",
  ]),
)}`;
}

function summary({ date, machine, cases }: Result): string {
  const rows = Object.entries(subjects).map(([subject, title]) => {
    const ratios = compare(cases, subject);
    const own = (["event", "prefork"] as const).map((mpm) =>
      Math.round(find(cases, subject, "mod_ts", mpm)?.cpu ?? Number.NaN),
    );
    return [
      title,
      own.join(" / "),
      list(ratios.filter(({ factor }) => factor < 1)),
      list(ratios.filter(({ factor }) => factor >= 1)),
    ];
  });
  const head = ["CPU per request", "mod_ts, µs (event / prefork)", "need less", "need more"];
  return `${busyNote(machine)}In the run of ${date.slice(0, 10)}, others needed this many times the CPU of mod_ts behind httpd with the same MPM:\n\n${table(head, rows)}`;
}

function list(ratios: readonly Ratio[]): string {
  return ratios.map(({ who, mpm, factor }) => `${who} (${mpm}) ${factor.toFixed(1)}`).join(", ");
}

function busyNote({ load }: Result["machine"]): string {
  if (load <= 0.5) return "";
  return `**The machine was busy (load ${load} before the run): do not rely on these figures.**\n`;
}

interface Ratio {
  readonly who: string;
  readonly mpm: string;
  /** Its CPU, divided by that of mod_ts behind the same MPM. */
  readonly factor: number;
}

/** Everybody else with one subject, the cheapest first. */
function compare(cases: readonly Measured[], subject: string): Ratio[] {
  const others = cases.filter((one) => one.subject === subject && one.who !== "mod_ts");
  const ratios = others.map(({ who, mpm, cpu }) => {
    const own = find(cases, subject, "mod_ts", mpm === "prefork" ? "prefork" : "event")?.cpu;
    return { who, mpm: mpm === "none" ? "no httpd" : mpm, factor: cpu / (own ?? Number.NaN) };
  });
  return ratios.toSorted((a, b) => a.factor - b.factor);
}

/** Whoever answers with less CPU than mod_ts behind the same MPM, with the factor. */
function losses(cases: readonly Measured[]): string {
  const lines = Object.entries(subjects).map(([subject, title]) => {
    const better = compare(cases, subject).filter(({ factor }) => factor < 1);
    const names = better.map(
      ({ who, mpm, factor }) => `${who} (${mpm}) ${(1 / factor).toFixed(1)} ×`,
    );
    return `- ${title}: ${names.join(", ") || "nobody"}`;
  });
  return `mod_ts needs this many times the CPU of:\n\n${lines.join("\n")}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** By subject in the order of the run, the cheapest first. */
function sorted(cases: readonly Measured[]): Measured[] {
  const order = [...new Set(cases.map(({ subject }) => subject))];
  return cases.toSorted(
    (a, b) => order.indexOf(a.subject) - order.indexOf(b.subject) || a.cpu - b.cpu,
  );
}

/** Bars of CPU per request, one panel for each subject. */
function svg(cases: readonly Measured[]): string {
  const parts: string[] = [];
  let y = 58;
  for (const [subject, title] of Object.entries(subjects)) {
    const bars = sorted(cases.filter((one) => one.subject === subject));
    parts.push(`<text class="title" x="16" y="${y}">${title}</text>`);
    y += 12;
    for (const bar of bars) {
      parts.push(row(bar, y, scale(bars)));
      y += 20;
    }
    y += 30;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 ${y - 10}" role="img" aria-label="CPU time per request of mod_ts and of other servers">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2937 }
.title { font-weight: 600; font-size: 15px }
.note { fill: #6b7280 }
.back { fill: #ffffff }
.bar { fill: #94a3b8 }
.own { fill: #c2410c }
@media (prefers-color-scheme: dark) {
text { fill: #e5e7eb }
.note { fill: #9ca3af }
.back { fill: #0d1117 }
.bar { fill: #64748b }
.own { fill: #fb923c }
}
</style>
<rect class="back" width="760" height="${y - 10}"/>
<text class="note" x="16" y="26">CPU µs per request, httpd included: shorter is better. In parentheses: MPM of httpd.</text>
${parts.join("\n")}
</svg>
`;
}

/** Pixels per microsecond. Nothing is longer than four times the dearest of ours. */
function scale(bars: readonly Measured[]): number {
  const own = bars.filter(({ who }) => who === "mod_ts").map(({ cpu }) => cpu);
  const longest = Math.max(...bars.map(({ cpu }) => cpu));
  return 380 / Math.min(longest, 4 * Math.max(...own));
}

function row({ who, mpm, cpu, rate }: Measured, y: number, perMicrosecond: number): string {
  const width = Math.min(380, cpu * perMicrosecond);
  const cut = cpu * perMicrosecond > 381 ? " (bar cut off)" : "";
  const name = mpm === "none" ? who : `${who} (${mpm})`;
  const figures = `${Math.round(cpu).toLocaleString("en")} µs · ${Math.round(rate).toLocaleString("en")}/s${cut}`;
  return `<text x="190" y="${y + 13}" text-anchor="end">${escapeHtml(name)}</text>
<rect class="${who === "mod_ts" ? "own" : "bar"}" x="198" y="${y + 2}" width="${width.toFixed(1)}" height="14" rx="2"/>
<text class="note" x="${(204 + width).toFixed(1)}" y="${y + 13}">${figures}</text>`;
}
