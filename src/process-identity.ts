/**
 * Which process this is, in words that a process elsewhere can check: a number alone soon belongs to another one.
 * @module
 */
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Whether there is a process with this number. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Clock ticks from boot to the start of a process: field 22 of `/proc/<pid>/stat`, proc(5). Empty where there is no such file. */
export function startTime(pid: number): string {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // Field 2, the name, stands in parentheses and may hold spaces and parentheses itself.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

let own: string | undefined;

/** `machine.pid.start` of this process; unlike that of any other, on any machine, before or after. */
export function ownIdentity(): string {
  return (own ??= `${machine()}.${process.pid}.${startTime(process.pid)}`);
}

/** Whether the process of an identity has certainly ended; false where that cannot be seen from here. */
export function hasEnded(identity: string): boolean {
  const [where, pid, started] = identity.split(".");
  if (where !== machine() || !/^\d+$/.test(pid ?? "")) return false;
  return !isAlive(Number(pid)) || startTime(Number(pid)) !== started;
}

let here: string | undefined;

/** Containers share a kernel, and may share a host name, but not their process numbers. */
function machine(): string {
  if (here !== undefined) return here;
  const boot = attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8"));
  const numbers = attempt(() => readlinkSync("/proc/self/ns/pid"));
  const text = `${boot || hostname()} ${numbers}`;
  here = createHash("sha256").update(text).digest("hex").slice(0, 12);
  return here;
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
