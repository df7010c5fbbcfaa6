/** Work in the background: its configuration, defaults and mistakes. */
import type { ScheduledJob } from "../background/schedule.ts";
import { defined } from "./pools.ts";

/** Modules and jobs of the one worker that works in the background. */
export interface BackgroundConfig {
  /**
   * Pool of that worker. A pool of its own keeps long computations away from requests.
   * @default "main"
   */
  pool: string;
  /**
   * Modules whose top level starts work, such as the consumer of a queue; it ends in `dispose`.
   * Files, looked up like handlers.
   * @default []
   */
  modules: string[];
  /** Jobs by name. @default {} */
  schedule: Record<string, ScheduledJob>;
}

export function resolveBackground(input: Partial<BackgroundConfig> | undefined): BackgroundConfig {
  return { pool: "main", modules: [], schedule: {}, ...defined(input) };
}

/** @param pools names of pools that may do the work */
export function judgeBackground(
  { pool }: BackgroundConfig,
  pools: readonly string[],
  mistakes: string[],
): void {
  if (pools.includes(pool)) return;
  mistakes.push(`background.pool: no pool ${pool}; expected one of ${pools.join(", ")}`);
}
