/**
 * The folder that `mod-ts dev` keeps its sockets, logs and configuration in.
 * @module
 */
import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Identity, unprivilegedUser } from "../httpd/identity.ts";

/** Where things are kept, and what the place is like. */
export interface RuntimeFolder {
  /** Absolute path; exists. */
  path: string;
  /** Why it is not `.mod-ts` in the folder that was asked for; undefined when it is. */
  reason: string | undefined;
  /** Whether Apache may read the folder that was asked for. */
  readable: boolean;
}

/** sun_path holds 107 bytes; the rest is for `/run/`, the name of a pool and `.sock`. */
const longestPath = 80;

/**
 * Makes `.mod-ts` in `folder`, or a temporary folder when that will not do: Apache runs as `user` when we are root, who may not
 * be let into a home folder.
 */
export function makeRuntimeFolder(
  folder: string,
  user: Identity | undefined = process.getuid?.() === 0 ? unprivilegedUser() : undefined,
): RuntimeFolder {
  const path = join(folder, ".mod-ts");
  const readable = !user || canEnter(user, folder);
  const reason = readable
    ? reasonAgainst(folder, path)
    : `Apache runs as ${user.name}, who may not enter ${folder}: handlers work, static files do not`;
  if (reason === undefined) {
    mkdirSync(path, { recursive: true });
    return { path, reason, readable };
  }
  const temporary = mkdtempSync(join(tmpdir(), "mod-ts-dev-"));
  chmodSync(temporary, 0o755);
  return { path: temporary, reason, readable };
}

function reasonAgainst(folder: string, path: string): string | undefined {
  if (Buffer.byteLength(path) > longestPath) return `the path of ${folder} is too long for sockets`;
  try {
    accessSync(folder, constants.W_OK);
    return undefined;
  } catch {
    return `${folder} cannot be written`;
  }
}

/** Whether a user may pass through every folder on the way; supplementary groups are left out, as httpd has none here. */
function canEnter(user: Identity, folder: string): boolean {
  const { uid, gid, mode } = statSync(folder);
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  if (((mode >> shift) & constants.X_OK) === 0) return false;
  return dirname(folder) === folder || canEnter(user, dirname(folder));
}
