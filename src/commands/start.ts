/**
 * `mod-ts start`: the sidecar in production.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { log } from "../log.ts";
import { parseCommand } from "./command.ts";
import { prepareSupervisor } from "./prepare-supervisor.ts";

export const usage = "start [folder]";

export const summary = `Starts the sidecar in the foreground, for systemd or a container.

Reads mod-ts.config.ts (.mts, .js, .mjs, .json) in the folder, by default the current one.
SIGHUP or "mod-ts reload" brings new code and configuration without failing a request;
SIGTERM lets requests finish for 10 seconds. The log goes to standard error.`;

export const options = {} as const;

/** Runs until a signal ends it; 0 then. */
export async function run(argv: string[]): Promise<number> {
  const { positionals } = parseCommand(options, argv);
  const { supervisor } = await prepareSupervisor(positionals[0] ?? ".");
  if (process.geteuid?.() === 0) warnOfRoot();
  await supervisor.run();
  return 0;
}

function warnOfRoot(): void {
  const { level, message, code } = new ModTsError("MODTS_RUNS_AS_ROOT");
  log(level, message, { code });
}
