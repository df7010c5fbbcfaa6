/** `mod-ts upgrade`: a new process in place of a running sidecar. */
import { loadConfig } from "../../config/config-file.ts";
import { askUpgrade } from "../../supervisor/control.ts";
import { findRunDirectory } from "../../supervisor/run-directory.ts";
import { parseCommand } from "./command.ts";

export const usage = "upgrade [directory]";

export const summary = `Replaces the running sidecar with a new process, without failing a request.

For a new version of mod-ts or Node.js, and for changes that a reload does not apply.
The new process gets the sockets of the old one, and takes over when its workers serve.
Waits for it; exit code 1, with the reason, when it did not. Then the old one keeps serving.
Only the sidecar of this directory is replaced.`;

export const options = {} as const;

/** Returns 0 when the successor serves. Throws like `loadConfig` and `askUpgrade`. */
export async function run(argv: string[]): Promise<number> {
  const { positionals } = parseCommand(options, argv);
  const config = await loadConfig(positionals[0] ?? ".");
  const outcome = await askUpgrade(findRunDirectory(config), config.directory);
  if (!outcome.ok) {
    process.stderr.write(`mod-ts: ${outcome.code}: ${outcome.message}\n`);
    return 1;
  }
  process.stdout.write(`Upgraded: process ${outcome.pid} serves.\n`);
  return 0;
}
