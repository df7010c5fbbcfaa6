/** Identity of a process that other processes can verify: process ids are reused. */
import { hash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { attempt } from "./attempt.ts";

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  // One that has ended keeps its number until its parent asks, which some first processes of containers never do.
  return attempt(() => statFields(`/proc/${pid}/stat`)[0], undefined) !== "Z";
}

/** Clock ticks from boot to its start: field 22 of `/proc/<pid>/stat`; empty if unknown. */
export function startTime(pid: number): string {
  return attempt(() => statFields(`/proc/${pid}/stat`)[19], undefined) ?? "";
}

/**
 * The fields of a `stat` file of `/proc` from the state, field 3, on. Throws if it cannot be read.
 *
 * @see proc(5)
 */
export function statFields(file: string): string[] {
  const stat = readFileSync(file, "latin1");
  // Field 2, the name in parentheses, may contain spaces and parentheses.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

let own: string | undefined;

/** `machine.pid.start` of this process, unique across machines and time. */
export function ownIdentity(): string {
  return (own ??= `${machine()}.${process.pid}.${startTime(process.pid)}`);
}

/** Whether a process has certainly ended; false if unknown, as on another machine. */
export function hasEnded(identity: string): boolean {
  const [where, pid, started] = identity.split(".");
  if (where !== machine() || !/^\d+$/.test(pid ?? "")) return false;
  return !isAlive(Number(pid)) || startTime(Number(pid)) !== started;
}

let here: string | undefined;

/** Containers may share kernel and host name, but not process ids. */
function machine(): string {
  if (here !== undefined) return here;
  const boot = attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8"), "");
  const numbers = attempt(() => readlinkSync("/proc/self/ns/pid"), "");
  const text = `${boot || hostname()} ${numbers}`;
  here = hash("sha256", text).slice(0, 12);
  return here;
}
