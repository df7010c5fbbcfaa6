/** The directory of `mod-ts dev` for sockets, logs and configuration. */
import { chmodSync, constants, mkdirSync, mkdtempSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { canAccess } from "../../base/files.ts";
import { type Identity, unprivilegedUser } from "../../httpd/server-root.ts";

export interface DevDirectory {
  /** Absolute path of an existing directory. */
  path: string;
  /** Why it is not `.mod-ts` in the given directory. */
  reason: string | undefined;
  /** Whether Apache may read the given directory. */
  readable: boolean;
}

/** A socket path holds 107 bytes; the rest is for `/run/`, the name of a pool and `.sock`. */
const longestPath = 80;

/**
 * Creates `.mod-ts` in `directory`, or a temporary directory: as root, Apache runs as `user`, who
 * may have no access to a home directory.
 */
export function makeDevDirectory(
  directory: string,
  user: Identity | undefined = process.getuid?.() === 0 ? unprivilegedUser() : undefined,
): DevDirectory {
  const path = join(directory, ".mod-ts");
  const readable = !user || canEnter(user, directory);
  const reason = readable
    ? reasonAgainst(directory, path)
    : `${user.name}, the user of Apache, cannot access ${directory}; handlers work, static files do not`;
  if (reason === undefined) {
    mkdirSync(path, { recursive: true });
    // A project that existed before has a .gitignore of its own.
    writeFileSync(join(path, ".gitignore"), "*\n");
    return { path, reason, readable };
  }
  const temporary = mkdtempSync(join(tmpdir(), "mod-ts-dev-"));
  chmodSync(temporary, 0o755);
  return { path: temporary, reason, readable };
}

function reasonAgainst(directory: string, path: string): string | undefined {
  if (Buffer.byteLength(path) > longestPath) return `the path ${directory} is too long for sockets`;
  return canAccess(directory, constants.W_OK) ? undefined : `${directory} is not writable`;
}

/** httpd has no supplementary groups here. */
function canEnter(user: Identity, directory: string): boolean {
  const { uid, gid, mode } = statSync(directory);
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  if (((mode >> shift) & constants.X_OK) === 0) return false;
  return dirname(directory) === directory || canEnter(user, dirname(directory));
}
