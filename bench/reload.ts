/**
 * From a save to the new answer, through the loader alone: `node bench/reload.ts [saves] [reloads]`.
 *
 * Files are saved by this process and asked for in the next turn of the event loop, without a watcher: what is measured
 * is the look at the files, the build and the call. The second table is the heap after many reloads.
 */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { createLoader, type Loader } from "../src/loader/loader.ts";

const flags = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];
const saves = Number(process.argv[2] ?? 200);
const reloads = Number(process.argv[3] ?? 10_000);

if (process.execArgv.includes(flags[0] as string)) await main();
else {
  const { status } = spawnSync(process.execPath, [...flags, ...process.argv.slice(1)], {
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
}

async function main(): Promise<void> {
  const rows: Record<string, string>[] = [];
  for (const handlers of [1, 50]) {
    rows.push(row(`${handlers} handlers, one edited`, await measure(handlers, "handler")));
    rows.push(row(`${handlers} handlers, shared helper edited`, await measure(handlers, "helper")));
    rows.push(row(`${handlers} handlers, nothing edited`, await measure(handlers, "nothing")));
  }
  console.table(rows);
  console.table([await measureHeap()]);
}

function row(what: string, times: number[]): Record<string, string> {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): string =>
    `${(sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(3)} ms`;
  return { what, median: at(0.5), p99: at(0.99) };
}

async function measure(
  handlers: number,
  edited: "handler" | "helper" | "nothing",
): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), "mod-ts-bench-"));
  const loader = createLoader({ watch: false });
  const save = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  save("h.ts", helper(0));
  for (let index = 0; index < handlers; index++) save(`a${index}.ts`, handler(0));
  for (let index = 0; index < handlers; index++) await ask(loader, join(folder, `a${index}.ts`));
  const times: number[] = [];
  for (let version = 1; version <= saves; version++) {
    const file = `a${version % handlers}.ts`;
    if (edited === "handler") save(file, handler(version));
    if (edited === "helper") save("h.ts", helper(version));
    await setImmediate();
    const begin = performance.now();
    const answer = await ask(loader, join(folder, file));
    times.push(performance.now() - begin);
    if (edited !== "nothing" && answer !== version) throw new Error(`${answer} is not ${version}`);
  }
  await loader.close();
  rmSync(folder, { recursive: true });
  return times;
}

async function ask(loader: Loader, file: string): Promise<number> {
  const loaded = loader.load(file, "handler");
  const module = loaded instanceof Promise ? await loaded : loaded;
  const answer = (module.exports["handler"] as () => number)();
  module.release();
  return answer;
}

async function measureHeap(): Promise<Record<string, string>> {
  const program = join(import.meta.dirname, "../test/fixtures/loader/reload-many.ts");
  const options = [...flags, "--max-old-space-size=64", "--expose-gc", program, String(reloads)];
  const { stdout } = await promisify(execFile)(process.execPath, options);
  const { growth, rss } = JSON.parse(stdout) as { growth: number; rss: number };
  return {
    reloads: String(reloads),
    "heap growth": `${(growth / 1e6).toFixed(2)} MB`,
    RSS: `${(rss / 1e6).toFixed(0)} MB`,
  };
}

function helper(version: number): string {
  return `export const h: number = ${version};\n`;
}

/** About 200 lines, as handlers are. */
function handler(version: number): string {
  const rows = Array.from(
    { length: 60 },
    (_, index) =>
      `function part${index}(value: number): string {\n  return \`part \${value + ${index}}\`;\n}`,
  );
  return `import { join } from "node:path";
import { h } from "./h.ts";
interface Row { readonly name: string; readonly value?: number }
enum Kind { one, two }
${rows.join("\n")}
export const parts: readonly ((value: number) => string)[] = [${rows.map((_, index) => `part${index}`).join(", ")}];
export const name = (row: Row): string => join(row.name, String(Kind.two));
export function handler(): number {
  return Math.max(h, ${version});
}
`;
}
