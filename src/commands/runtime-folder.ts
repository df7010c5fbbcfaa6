/**
 * The folder that `mod-ts dev` keeps its sockets, logs and configuration in.
 * @module
 */
import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Identity, unprivilegedUser } from "../httpd/identity.ts";

/**
 * Where sockets, logs and the configuration go: `.mod-ts` in the folder. Apache runs as another user when we are root, and may
 * not be let into a home folder of ours: then it is a temporary folder.
 */
export function makeRuntimeFolder(folder: string): string {
  const user = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
  const usual = join(folder, ".mod-ts");
  if (!user || (canEnter(user, folder) && isWritable(folder))) {
    mkdirSync(usual, { recursive: true });
    return usual;
  }
  process.stderr.write(
    `mod-ts: Apache runs as ${user.name}, who may not read ${folder}: static files will be 403, handlers work\n`,
  );
  const temporary = mkdtempSync(join(tmpdir(), "mod-ts-dev-"));
  chmodSync(temporary, 0o755);
  return temporary;
}

function canEnter(user: Identity, folder: string): boolean {
  const { uid, gid, mode } = statSync(folder);
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  if (((mode >> shift) & 1) === 0) return false;
  return dirname(folder) === folder || canEnter(user, dirname(folder));
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
