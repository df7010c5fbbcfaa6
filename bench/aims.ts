/** The goals of the project, and how far a run reaches them. */
import type { Memory } from "./memory.ts";
import { type Aim, find, type Measured } from "./result.ts";

/** Ratios are times as good as the other: above 1, mod_ts needs less. */
export function judge(cases: readonly Measured[], memory: Memory): Aim[] {
  return [
    ...(["event", "prefork"] as const).flatMap((mpm) => {
      const hello = find(cases, "hello", "mod_ts", mpm);
      const bare = find(cases, "hello", "node:http", mpm);
      return [
        atLeast(
          `hello, CPU, node:http behind the same httpd (${mpm})`,
          0.97,
          cpuRatio(hello, bare),
        ),
        atLeast(`hello, requests/s, the same (${mpm})`, 0.97, rateRatio(hello, bare)),
      ];
    }),
    ...against(cases, "hello", "nginx", 0.88),
    atLeast(
      "published hello, CPU, hello handler",
      0.97,
      cpuRatio(find(cases, "published hello", "mod_ts"), find(cases, "hello", "mod_ts", "event")),
    ),
    ...["page", "json", "counter"].flatMap((subject) => [
      ...against(cases, subject, "php-fpm", 1.3),
      ...["mod_python", "mod_wsgi daemon", "mod_perl"].flatMap((who) =>
        against(cases, subject, who, 1),
      ),
      ...against(cases, subject, "mod_php"),
    ]),
    ...cases
      .filter(({ subject, who }) => subject.startsWith("1 MB") && who === "mod_ts")
      .map(({ subject, backend }) =>
        atMost(
          `${subject}: CPU behind httpd, × node:http`,
          1.5,
          (backend ?? Number.NaN) / (find(cases, "1 MB", "node:http")?.backend ?? Number.NaN),
        ),
      ),
    atMost("memory of the supervisor, MiB PSS", 45, memory.supervisor, 1),
    atMost("memory of an idle worker, MiB PSS", 80, memory.worker, 1),
    atMost(`${memory.reloads} reloads: growth of the worker, MiB`, 10, memory.workerGrowth, 1),
    atMost(
      `${memory.reloads} reloads: growth of the supervisor, MiB`,
      10,
      memory.supervisorGrowth,
      1,
    ),
  ];
}

/** Nothing if the competitor took no part. On its MPM, event for whoever has none. */
function against(
  cases: readonly Measured[],
  subject: string,
  who: string,
  wanted?: number,
): readonly Aim[] {
  const other = find(cases, subject, who);
  if (!other) return [];
  const mpm = other.mpm === "prefork" ? "prefork" : "event";
  const own = find(cases, subject, "mod_ts", mpm);
  return [atLeast(`${subject}, CPU, ${who} (${mpm})`, wanted, cpuRatio(own, other))];
}

function cpuRatio(own: Measured | undefined, other: Measured | undefined): number {
  return own && other ? other.cpu / own.cpu : Number.NaN;
}

function rateRatio(own: Measured | undefined, other: Measured | undefined): number {
  return own && other ? own.rate / other.rate : Number.NaN;
}

function atLeast(aim: string, wanted: number | undefined, is: number): Aim {
  if (wanted === undefined) return { aim, wanted: "", is: `${is.toFixed(2)} ×`, met: null };
  return { aim, wanted: `≥ ${wanted} ×`, is: `${is.toFixed(2)} ×`, met: is >= wanted };
}

function atMost(aim: string, wanted: number, is: number, digits = 2): Aim {
  return { aim, wanted: `≤ ${wanted}`, is: is.toFixed(digits), met: is <= wanted };
}
