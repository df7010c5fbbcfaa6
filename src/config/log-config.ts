/** The member `log` of a configuration. */
import { resolve } from "node:path";
import type { LogRoom } from "../base/errors.ts";
import type { LogLevel } from "../base/log.ts";
import type { LogFormat } from "../base/log-output.ts";

export interface LogConfig {
  /** The least severe level that is logged. @default "info" */
  level?: LogLevel;
  /** By part of mod_ts, in place of {@link level}: `{ loader: "debug" }`. @default {} */
  levels?: Partial<Record<LogRoom, LogLevel>>;
  /**
   * `json`: one object a line. `text`: the format of Apache's error log, which fail2ban reads.
   * `short`: for terminals, without date, process and client.
   * @default "json", in development "short"
   */
  format?: LogFormat;
  /**
   * File to append to, relative to the configuration file; SIGUSR1 opens it again. Empty: standard
   * error.
   * @default ""
   */
  file?: string;
  /** Logs each request to a handler, at level `info`. @default false */
  access?: boolean;
  /** Milliseconds after which the call of a handler is logged; 0: never. @default 0 */
  slow?: number;
}

/** With defaults. */
export type ResolvedLogConfig = Required<LogConfig>;

export function resolveLog(
  input: LogConfig = {},
  directory: string,
  isDevelopment: boolean,
): ResolvedLogConfig {
  const { level = "info", levels = {}, file, access = false, slow = 0 } = input;
  return {
    level,
    levels,
    format: input.format ?? (isDevelopment ? "short" : "json"),
    file: file ? resolve(directory, file) : "",
    access,
    slow,
  };
}
