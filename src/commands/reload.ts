/**
 * `mod-ts reload`: new code and configuration for a running sidecar.
 * @module
 */
import { loadConfig } from "../config-file.ts";
import { ModTsError } from "../errors.ts";
import { findSupervisor } from "../run-folder.ts";
import { parseCommand } from "./command.ts";

export const usage = "reload [folder]";

export const summary = `Replaces the workers of the running sidecar, without failing a request.

The configuration is read and judged here first: with a mistake in it nothing is reloaded.
New workers take over once they are ready; whether they did is in the log of the sidecar.`;

export const options = {} as const;

/** Gives 0 once the sidecar has been told. Throws `MODTS_NOT_RUNNING`, and what `loadConfig` throws. */
export async function run(argv: string[]): Promise<number> {
  const { positionals } = parseCommand(options, argv);
  const config = await loadConfig(positionals[0] ?? ".");
  const pid = findSupervisor(config.run);
  if (pid === undefined) throw new ModTsError("MODTS_NOT_RUNNING", { folder: config.run });
  process.kill(pid, "SIGHUP");
  process.stdout.write(`told process ${pid} to reload; its log says how it went\n`);
  return 0;
}
