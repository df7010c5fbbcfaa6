/**
 * What a section says of its scripts: `Use TsOption mod_ts.cgi.…`, see `handlers/cgi.ts`.
 * @module
 */
import { availableParallelism } from "node:os";
import type { Dictionary } from "../request/exchange.ts";
import { SectionOptions } from "../section-options.ts";

/** Bounds on scripts, each worker process for itself. Sections with the same ones share them. */
export interface CgiSettings {
  /** Scripts that run in threads at a time. */
  readonly threads: number;
  /** Scripts that run as processes at a time. */
  readonly processes: number;
  /** Requests that wait for one of either kind. */
  readonly queue: number;
  /** Milliseconds that a script may be silent. */
  readonly timeout: number;
  /** Megabytes that a thread may hold. */
  readonly memory: number;
}

/**
 * Reads the options. Throws `MODTS_BAD_OPTION`.
 * @param handlerTimeout milliseconds after which the engine gives up; a script should be told of before
 */
export function readSettings(values: Dictionary, handlerTimeout: number): CgiSettings {
  const options = new SectionOptions(values, "cgi");
  options.allowOnly("threads", "processes", "queue", "timeout", "memory");
  const few = Math.max(4, 2 * availableParallelism());
  const patience = Math.max(1, Math.floor(handlerTimeout * 0.9));
  return {
    threads: options.number("threads", few, [1, 256]),
    processes: options.number("processes", 4 * few, [1, 4096]),
    queue: options.number("queue", 100, [0, 10_000]),
    timeout: options.number("timeout", patience, [1, 86_400_000]),
    memory: options.number("memory", 256, [16, 65_536]),
  };
}
