/** Attempts to open files and sockets as another user: exact, with all groups and access lists. */
import { execFile } from "node:child_process";

export interface Identity {
  /** Name or id. */
  user: string | number;
  group: string | number;
  /** Default: the groups of the user. */
  groups?: readonly number[];
}

/** `connect` to a Unix socket, or `read` a file. */
export interface Attempt {
  kind: "connect" | "read";
  path: string;
}

/** Run in a child process, which drops the rights of root, then tries. */
const script = `
const [identity, attempts] = JSON.parse(process.argv[1]);
const { accessSync, constants } = require("node:fs");
const { connect } = require("node:net");
if (identity.groups) process.setgroups(identity.groups);
else process.initgroups(identity.user, identity.group);
process.setgid(identity.group);
process.setuid(identity.user);
const open = (path) => new Promise((resolve) => {
  const socket = connect(path, () => { socket.destroy(); resolve(""); });
  socket.on("error", (error) => resolve(error.code));
});
const read = (path) => {
  try { accessSync(path, constants.R_OK); return ""; } catch (error) { return error.code; }
};
Promise.all(attempts.map(({ kind, path }) => (kind === "read" ? read : open)(path)))
  .then((codes) => process.stdout.write(JSON.stringify(codes)));
`;

/**
 * The error code of each attempt, empty for success. Undefined if that cannot be found out: without
 * the rights of root, or for a user that does not exist.
 */
export function tryAs(
  identity: Identity,
  attempts: readonly Attempt[],
): Promise<string[] | undefined> {
  if (process.geteuid?.() !== 0) return Promise.resolve(undefined);
  const args = ["-e", script, JSON.stringify([identity, attempts])];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 20_000 }, (error, stdout) => {
      resolve(error ? undefined : (JSON.parse(stdout) as string[]));
    });
  });
}
