/** Diagnostics channels of the core, for logs, metrics and pages (`node:diagnostics_channel`). */
import { channel, type Channel } from "node:diagnostics_channel";

/** Payload: `LogRecord` of `log.ts`. */
export const logChannel: Channel = channel("mod_ts:log");

/** A handler module was rebuilt, or failed to be; payload: {@link ReloadRecord}. */
export const reloadChannel: Channel = channel("mod_ts:reload");

export interface ReloadRecord {
  entry: string;
  /** Successful builds of this entry in this process, from 1. */
  generation: number;
  /** Absolute paths whose change caused the build. */
  changed: readonly string[];
  /** Set if the build failed; the previous generation keeps serving. */
  error?: Error;
  /** Milliseconds. */
  duration: number;
}

/** A password was refused; the payload is a {@link RefusalRecord}. */
export const refusalChannel: Channel = channel("mod_ts:refusal");

export interface RefusalRecord {
  user: string;
  /** Address of the client. */
  client: string;
  uri: string;
  reason: "unknown" | "wrong" | "unchecked" | "limited";
}
