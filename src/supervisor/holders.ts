/** Processes that hold a TCP port, from `/proc`: for the error of a port in use. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { attempt } from "../base/attempt.ts";

/** Ids of the processes that listen on a port and that this user may examine; empty if unknown. */
export function findHolders(port: number): number[] {
  const sockets = new Set(
    ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => inodes(file, port)),
  );
  if (sockets.size === 0) return [];
  return list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => holdsOne(pid, sockets))
    .map(Number);
}

/** State of a listening socket, in the kernel's table. */
const listening = "0A";

function inodes(file: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return attempt(() => readFileSync(file, "utf8"), "")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => state === listening && local.endsWith(suffix))
    .map((columns) => `socket:[${columns[9]}]`);
}

function holdsOne(pid: string, sockets: ReadonlySet<string>): boolean {
  const directory = `/proc/${pid}/fd`;
  return list(directory).some((name) =>
    sockets.has(attempt(() => readlinkSync(`${directory}/${name}`), "")),
  );
}

/** Empty for a process that has ended meanwhile, or is that of another user. */
function list(directory: string): string[] {
  return attempt(() => readdirSync(directory), []);
}
