/** Groups of the system: the one that may open the sockets is that of httpd. */
import { readFileSync } from "node:fs";
import { attempt } from "../base/attempt.ts";

/** The group of httpd, by the names that distributions give it. */
export function defaultGroup(): string | undefined {
  return ["www-data", "apache", "httpd"].find((name) => groupId(name) !== undefined);
}

/** Id of a group by name or number, from `/etc/group`; undefined if there is none. */
export function groupId(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const line = attempt(() => readFileSync("/etc/group", "utf8"), "")
    .split("\n")
    .find((candidate) => candidate.startsWith(`${name}:`));
  return line === undefined ? undefined : Number(line.split(":")[2]);
}
