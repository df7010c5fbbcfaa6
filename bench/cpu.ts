/** CPU time of processes, from `/proc` (proc(5)). */
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second; the kernel reports to user space in hundredths whatever its own clock. */
const ticks = 100;

/** A process and all that descend from it. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(fields(Number(name))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const all = [pid];
  for (const one of all) all.push(...(children.get(one) ?? []));
  return all;
}

/** User and system time of some processes, in microseconds; one that has ended counts nothing. */
export function cpuMicroseconds(pids: readonly number[]): number {
  const sum = pids.reduce((total, pid) => {
    const stat = fields(pid);
    return total + (stat ? Number(stat[11]) + Number(stat[12]) : 0);
  }, 0);
  return (sum / ticks) * 1e6;
}

/** The same, with the children of each that have ended. */
export function cpuWithEndedMicroseconds(pids: readonly number[]): number {
  const sum = pids.reduce((total, pid) => {
    const times = fields(pid)?.slice(11, 15).map(Number) ?? [];
    return times.reduce((all, one) => all + one, total);
  }, 0);
  return (sum / ticks) * 1e6;
}

/** The fields of `stat` after the name of the program, which may hold spaces. */
function fields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** CPU time of all threads of a process, to the nanosecond (sched-stats of the kernel). */
export function cpuNanoseconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map((thread) => read(`/proc/${pid}/task/${thread}/schedstat`));
  return times.reduce((sum, text) => sum + Number(text.split(" ")[0]), 0);
}

/** Memory of a process; what several share is divided among them. */
export function pssMebibytes(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1]) / 1024;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // The thread has ended.
    return "";
  }
}
