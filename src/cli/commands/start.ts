/** `mod-ts start`: the sidecar in production. */
import { ModTsError, report } from "../../base/errors.ts";
import { parseCommand } from "./command.ts";
import { prepareSupervisor } from "./prepare-supervisor.ts";

export const usage = "start [directory]";

export const summary = `Starts the sidecar in the foreground, for systemd or a container.

Reads mod-ts.config.ts (.mts, .js, .mjs, .json) in the directory (default: the current one).
"mod-ts reload" or SIGHUP loads new code and configuration without failing a request.
SIGTERM gives requests 10 seconds to finish. The log is written to standard error.`;

export const options = {} as const;

/** Runs until a signal, then returns 0. */
export async function run(argv: string[]): Promise<number> {
  const { positionals } = parseCommand(options, argv);
  const { supervisor } = await prepareSupervisor(positionals[0] ?? ".");
  if (process.geteuid?.() === 0) report(new ModTsError("MODTS_RUNS_AS_ROOT"));
  await supervisor.run();
  return 0;
}
