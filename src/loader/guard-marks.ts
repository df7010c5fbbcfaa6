/**
 * Which modules guard sections by exports that they may lack, for all pools and beyond restarts.
 *
 * ```
 * guards/                            0700, in the state directory
 *   <digest of module and export>    the text names both, for people
 * ```
 *
 * Attack: a module loses its guard by an interrupted save. Another pool, which has no use for the guard,
 * records that version for new workers; or a restart forgets all versions. Then the section would be open.
 */
import { createHash } from "node:crypto";
import { lstatSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { log } from "../base/log.ts";
import { openPrivateDirectory } from "../base/private-directory.ts";

export class GuardMarks {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Attack: a mark that cannot be read, in a directory of another user for example, would be none. */
  has(module: string, exportName: string): boolean {
    try {
      lstatSync(this.path(module, exportName));
      return true;
    } catch (error) {
      return !/^(?:ENOENT|ENOTDIR)$/.test((error as NodeJS.ErrnoException).code ?? "");
    }
  }

  /** Never throws: without a mark, the versions of the running sidecar still protect the section. */
  add(module: string, exportName: string): void {
    const path = this.path(module, exportName);
    try {
      if (lstatSync(path, { throwIfNoEntry: false })) return;
      openPrivateDirectory(this.#directory);
      writeFileSync(path, `${exportName} of ${module}\n`, { mode: 0o600 });
    } catch (error) {
      log("warn", `after a restart, ${module} may lose its guard ${exportName}`, { error });
    }
  }

  path(module: string, exportName: string): string {
    const digest = createHash("sha256")
      .update(JSON.stringify([module, exportName]))
      .digest("hex");
    return join(this.#directory, digest);
  }
}
