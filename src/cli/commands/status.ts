/** `mod-ts status`: the state of a running sidecar, for people and monitoring. */
import { existsSync } from "node:fs";
import { addCalls, emptyCalls, percentile } from "../../base/counts.ts";
import { isModTsError } from "../../base/errors.ts";
import { loadConfig } from "../../config/config-file.ts";
import { askStatus, controlSocket } from "../../supervisor/control.ts";
import type { PoolStatus, SidecarState, SidecarStatus } from "../../supervisor/status.ts";
import { findRunDirectory } from "../../supervisor/run-directory.ts";
import { parseCommand } from "./command.ts";
import { probeListeners } from "./probe-listeners.ts";

export const usage = "status [directory] [--json]";

export const summary = `Prints the state of the running sidecar: workers, handlers, recent errors.

Asks the supervisor, and every socket through the transport that Apache uses.
Exit code 0: all workers serve. 1: degraded, some do. 2: down, or not running.`;

export const options = {
  json: { type: "boolean", default: false, description: "print everything as JSON" },
} as const;

const exitCodes: Readonly<Record<SidecarState, number>> = { ready: 0, degraded: 1, down: 2 };

/** Returns the exit code for monitoring. Throws like `loadConfig`. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseCommand(options, argv);
  const config = await loadConfig(positionals[0] ?? ".");
  const status = await ask(findRunDirectory(config));
  if (typeof status === "string") {
    const down = { state: "down", reasons: [status] };
    process.stdout.write(values.json ? `${JSON.stringify(down)}\n` : `down: ${status}\n`);
    return exitCodes.down;
  }
  process.stdout.write(values.json ? `${JSON.stringify(status, null, 2)}\n` : format(status));
  return exitCodes[status.state];
}

/** The status, or the reason for its absence. */
async function ask(directory: string): Promise<SidecarStatus | string> {
  try {
    const status = await askStatus(directory);
    const failures = await probeListeners(status.listeners);
    if (failures.length === 0) return status;
    return { ...status, state: "down", reasons: [...status.reasons, ...failures] };
  } catch (error) {
    const { message } = error as Error;
    const isStopped = isModTsError(error);
    const reason = isStopped ? `${error.code}: ${message}` : `${directory}: ${message}`;
    const file = isStopped ? directory : controlSocket(directory);
    if (existsSync(file)) return reason;
    return `${reason}; ${file} is gone: restart the sidecar if it still runs`;
  }
}

function format(status: SidecarStatus): string {
  const { state, reasons, generation, now, startedAt, pid, errors } = status;
  const hours = ((now - startedAt) / 3_600_000).toFixed(1);
  return [
    `${state}: ${reasons.join("; ") || "all workers serve"}`,
    `supervisor ${pid}, generation ${generation}, up ${hours} h`,
    ...status.pools.flatMap(formatPool),
    ...errors
      .slice(0, 3)
      .map(({ at, code, message }) => `${new Date(at).toISOString()} ${code ?? ""} ${message}`),
    "",
  ].join("\n");
}

function formatPool({ name, wanted, queued, workers, counts }: PoolStatus): string[] {
  const calls = emptyCalls();
  for (const handlers of Object.values(counts.calls)) {
    for (const each of Object.values(handlers)) addCalls(calls, each);
  }
  const ready = workers.filter(({ state }) => state === "ready").length;
  const milliseconds = (share: number): string => (percentile(calls, share) * 1000).toFixed(1);
  return [
    `pool ${name}: ${ready} of ${wanted} workers serve, ${queued} connections queued; ` +
      `${calls.calls} calls, ${calls.errors} failed, p50 ${milliseconds(0.5)} ms, p99 ${milliseconds(0.99)} ms`,
    ...workers.map(({ pid, state, connections, gauges }) => {
      const memory = gauges ? `, ${Math.round(gauges.rss / 1024 ** 2)} MiB` : "";
      return `  ${pid} ${state}, ${connections} connections${memory}`;
    }),
  ];
}
