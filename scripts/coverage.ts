/**
 * Line coverage of the rooms in `src/`, from what the room runs of `test/unit/` left in `.tap/rooms/`.
 * It fails when a room falls below its floor in `test/coverage-floors.json`; `--raise` lifts the floors
 * to what is reached.
 *
 * Processes that tests start are not counted: V8's reports of several hundred sidecars and workers
 * would take longer than the tests themselves. Neither are threads, so what runs in threads only is
 * left out.
 */
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ScriptCoverage } from "../test/fixtures/record-coverage.ts";

const project = join(import.meta.dirname, "..");
const floorsFile = join(project, "test/coverage-floors.json");
const reports = join(project, ".tap/rooms");

/** Code lines of one file, and those that ran in any process. */
interface Lines {
  readonly code: readonly number[];
  readonly run: Set<number>;
}

const inThreads = ["src/loader/compile-thread.ts", "src/loader/thread-hooks.ts"];
const files = new Map<string, Lines>();
for (const name of globSync("src/**/*.ts", { cwd: project, exclude: inThreads })) {
  const code = codeLines(readFileSync(join(project, name), "utf8"));
  files.set(name, { code, run: new Set() });
}
for (const report of readdirSync(reports)) {
  // Left by a room that there was once.
  if (!existsSync(join(project, "test/unit", report.replace(".json", ".ts")))) continue;
  for (const script of JSON.parse(
    readFileSync(join(reports, report), "utf8"),
  ) as ScriptCoverage[]) {
    const path = fileURLToPath(script.url);
    const lines = files.get(path.slice(project.length + 1));
    if (lines) addRun(lines, readFileSync(path, "utf8"), script);
  }
}

const reached = reachedByRoom();
const floors = JSON.parse(readFileSync(floorsFile, "utf8")) as Record<string, number>;
if (process.argv.includes("--raise")) {
  const raised = Object.fromEntries(
    Object.entries(reached).map(([room, percent]) => [
      room,
      Math.max(Math.floor(percent), floors[room] ?? 0),
    ]),
  );
  writeFileSync(floorsFile, `${JSON.stringify(raised, null, 2)}\n`);
}
console.log("# coverage of lines by unit tests: room, reached, floor");
for (const [room, percent] of Object.entries(reached)) {
  const floor = floors[room] ?? 0;
  const verdict = percent < floor ? "  BELOW ITS FLOOR" : "";
  console.log(`# ${room.padEnd(24)} ${percent.toFixed(1).padStart(5)} % ${floor} %${verdict}`);
  if (verdict) process.exitCode = 1;
}

/** Numbers of the lines that are neither blank nor a comment. */
function codeLines(source: string): number[] {
  return source
    .split("\n")
    .flatMap((line, index) => (/^\s*($|\/\/|\/?\*)/.test(line) ? [] : [index]));
}

/** V8 lists an outer range before the inner ones, which have the last word. */
function addRun({ code, run }: Lines, source: string, script: ScriptCoverage): void {
  const counts = new Uint8Array(source.length);
  const ranges = script.functions.flatMap((one) => one.ranges);
  for (const { startOffset, endOffset, count } of ranges) {
    counts.fill(Math.min(count, 1), startOffset, endOffset);
  }
  const starts = [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
  for (const line of code) {
    const start = starts[line] ?? 0;
    const first = start + source.slice(start).search(/\S/);
    if (counts[first]) run.add(line);
  }
}

/** Percentages; the handlers by built-in, files on top of `src/` left out. */
function reachedByRoom(): Record<string, number> {
  const sums = new Map<string, { code: number; run: number }>();
  for (const [name, { code, run }] of files) {
    const [, first = "", second = ""] = name.split("/");
    if (first.endsWith(".ts")) continue;
    const room = first === "handlers" && !second.endsWith(".ts") ? `${first}/${second}` : first;
    const sum = sums.get(room) ?? { code: 0, run: 0 };
    sums.set(room, { code: sum.code + code.length, run: sum.run + run.size });
  }
  const rooms = [...sums].toSorted(([a], [b]) => a.localeCompare(b));
  return Object.fromEntries(
    rooms.map(([room, { code, run }]) => [room, (100 * run) / Math.max(code, 1)]),
  );
}
