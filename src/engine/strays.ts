/** Errors that belong to no request. */
import { type ErrorCode, ModTsError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import { adviseOnListen } from "./advice.ts";

/**
 * A forgotten rejection harms no other request; an uncaught throw may leave anything incomplete, so
 * the worker exits and is replaced.
 */
export function reportStrays(): void {
  process.on("unhandledRejection", (reason) => report("MODTS_UNHANDLED_REJECTION", reason));
  process.on("uncaughtException", (error) => {
    report("MODTS_UNCAUGHT_EXCEPTION", error);
    process.exit(1);
  });
}

function report(code: ErrorCode, error: unknown): void {
  adviseOnListen(error);
  const { level, message } = new ModTsError(code);
  log(level, message, { code, error });
}
