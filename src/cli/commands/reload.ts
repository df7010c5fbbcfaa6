/** `mod-ts reload`: new code and configuration for a running sidecar. */
import { loadConfig } from "../../config/config-file.ts";
import { askReload } from "../../supervisor/control.ts";
import { findRunDirectory } from "../../supervisor/run-directory.ts";
import { parseCommand } from "./command.ts";

export const usage = "reload [directory] [--wait-drained]";

export const summary = `Replaces the workers of the running sidecar, without failing a request.

Reads the configuration first: with a mistake in it, nothing is reloaded.
Waits until new workers have taken over; exit code 1, with the reason, when they did not.
Names handlers and scripts in use whose newest version cannot be loaded: their last good versions
serve, and the exit code is 1.
Names the changes that it does not apply. Only the sidecar of this directory is reloaded.`;

export const options = {
  "wait-drained": {
    type: "boolean",
    default: false,
    description: "wait until the old workers have ended, and no request reaches one any more",
  },
} as const;

/** Returns 0 when the new generation serves all that the old one did. Throws like `loadConfig` and `askReload`. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseCommand(options, argv);
  const config = await loadConfig(positionals[0] ?? ".");
  const outcome = await askReload(
    findRunDirectory(config),
    config.directory,
    values["wait-drained"],
  );
  if (!outcome.ok) {
    process.stderr.write(`mod-ts: ${outcome.code}: ${outcome.message}\n`);
    return 1;
  }
  const { broken = [] } = outcome;
  for (const { code, message, isServed } of broken) {
    const effect = isServed ? "the last good version serves" : "it responds 500";
    process.stderr.write(`mod-ts: ${code}: ${message}; ${effect}\n`);
  }
  process.stdout.write(`Reloaded: generation ${outcome.generation}.\n`);
  if (outcome.restart.length > 0) {
    process.stdout.write(
      `Not applied yet: ${outcome.restart.join(", ")}. ${remedyOf(outcome.restart)}\n`,
    );
  }
  return broken.length > 0 ? 1 : 0;
}

/** A command finds the sidecar by its run directory. */
function remedyOf(settings: readonly string[]): string {
  return settings.includes("run") ? "Restart the sidecar." : "Run mod-ts upgrade.";
}
