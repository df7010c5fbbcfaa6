/** Errors that belong to no request. */
import { type ErrorCode, ModTsError, report } from "../base/errors.ts";
import { adviseOnListen } from "./advice.ts";

/**
 * A forgotten rejection harms no other request; an uncaught throw may leave anything incomplete, so
 * the worker exits and is replaced.
 */
export function reportStrays(): void {
  process.on("unhandledRejection", (reason) => reportStray("MODTS_UNHANDLED_REJECTION", reason));
  process.on("uncaughtException", (error) => {
    reportStray("MODTS_UNCAUGHT_EXCEPTION", error);
    process.exit(1);
  });
}

function reportStray(code: ErrorCode, error: unknown): void {
  adviseOnListen(error);
  report(new ModTsError(code), { error });
}
