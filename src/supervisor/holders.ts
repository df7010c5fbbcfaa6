/** Processes that hold a TCP port, from `/proc`: for the error of a port in use. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

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
  return read(file)
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => state === listening && local.endsWith(suffix))
    .map((columns) => `socket:[${columns[9]}]`);
}

function holdsOne(pid: string, sockets: ReadonlySet<string>): boolean {
  const directory = `/proc/${pid}/fd`;
  return list(directory).some((name) => sockets.has(target(`${directory}/${name}`)));
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Ended meanwhile, or of another user.
    return [];
  }
}

function target(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
