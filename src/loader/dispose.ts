/**
 * The `dispose` hook: the last word of a module version.
 * @module
 */
import { log } from "../log.ts";
import { withDeadline } from "./deadline.ts";
import type { ModuleRecord } from "./module-record.ts";

/**
 * Calls `dispose(import.meta.state)` of each module that exports it, one after the other, at most once each.
 *
 * A hook that throws, or takes longer than `limit` milliseconds, is logged and left: it must not stop a reload.
 */
export async function dispose(records: Iterable<ModuleRecord>, limit: number): Promise<void> {
  for (const record of records) {
    if (record.disposed || !record.isEvaluated) continue;
    record.disposed = true;
    // A top level that still waits may open things yet: its hook comes when it is done, if it ever is.
    if (await record.isWaiting()) record.module.evaluate().then(() => call(record, limit), ignore);
    else await call(record, limit);
  }
}

async function call(record: ModuleRecord, limit: number): Promise<void> {
  try {
    const hook: unknown = Reflect.get(record.module.namespace, "dispose");
    if (typeof hook !== "function") return;
    await withDeadline(Promise.resolve(hook(record.state)), limit);
  } catch (error) {
    log("error", `dispose of ${record.file} failed`, { error });
  }
}

function ignore(): void {
  // It failed: there is nothing to dispose of.
}
