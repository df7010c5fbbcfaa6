/**
 * The diagnostics channels: the core publishes here, logs, metrics and pages subscribe (`node:diagnostics_channel`).
 * @module
 */
import { channel, type Channel } from "node:diagnostics_channel";

/** Something for the error log; the payload is a `LogRecord` of `log.ts`. */
export const logChannel: Channel = channel("mod_ts:log");

/** A handler module was rebuilt, or failed to; the payload is a {@link ReloadRecord}. */
export const reloadChannel: Channel = channel("mod_ts:reload");

export interface ReloadRecord {
  /** Absolute path of the entry module. */
  entry: string;
  /** Counts the successful builds of this entry in this process, from 1. */
  generation: number;
  /** Absolute paths whose change caused the build. */
  changed: readonly string[];
  /** Set when the build failed and the generation before it goes on serving. */
  error?: Error;
  /** Milliseconds that the build took. */
  duration: number;
}
