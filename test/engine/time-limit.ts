import { mock } from "node:test";
import t from "tap";
import { logChannel } from "../../src/base/channels.ts";
import type { LogRecord } from "../../src/base/log.ts";
import { readFrom, vitals } from "../../src/base/vitals.ts";
import { trackOverdue } from "../../src/engine/time-limit.ts";

t.test("a handler that goes on after its 504 is counted, and named once", async (t) => {
  const records: LogRecord[] = [];
  logChannel.subscribe((record) => records.push(record as LogRecord));
  mock.timers.enable({ apis: ["setTimeout"] });
  t.teardown(() => mock.timers.reset());
  // Of handlers in other tests of this process.
  const before = readFrom(vitals, "overdue");
  const label = { phase: "handler", handler: "slow.ts" };
  const quick = Promise.withResolvers<void>();
  trackOverdue(quick.promise, label);
  t.equal(readFrom(vitals, "overdue"), before + 1);
  quick.reject(new Error("aborted"));
  await Promise.allSettled([quick.promise]);
  t.equal(readFrom(vitals, "overdue"), before, "also when it throws in the end");
  const slow = Promise.withResolvers<void>();
  trackOverdue(slow.promise, label);
  trackOverdue(slow.promise, label);
  mock.timers.tick(6000);
  t.same(
    records.map(({ code }) => code),
    ["MODTS_HANDLER_OVERDUE"],
  );
  t.match(records[0]?.message, /^slow\.ts in phase handler still runs 5 s/);
  slow.resolve();
  await slow.promise;
  t.equal(readFrom(vitals, "overdue"), before);
});
