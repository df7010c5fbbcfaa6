/**
 * The unprivileged user that httpd runs as when we are root.
 * @module
 */
import { readFileSync } from "node:fs";

/** A user of this machine. */
export interface Identity {
  readonly name: string;
  readonly uid: number;
  /** Primary group. */
  readonly gid: number;
}

/** Users that distributions run httpd as, and the one that every Unix has. */
const usualUsers = ["www-data", "apache", "httpd", "http", "_www", "wwwrun", "nobody"];

/** The first of httpd's usual users that this machine has, by `passwd`, a text in the format of `/etc/passwd`. */
export function unprivilegedUser(
  passwd: string = readFileSync("/etc/passwd", "utf8"),
): Identity | undefined {
  const users = passwd.split("\n").map((line) => line.split(":"));
  const name = usualUsers.find((usual) => users.some(([user]) => user === usual));
  const entry = users.find(([user]) => user === name);
  if (name === undefined || !entry) return undefined;
  return { name, uid: Number(entry[2]), gid: Number(entry[3]) };
}
