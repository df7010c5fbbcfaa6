import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { DeadlineError, withDeadline } from "../../src/loader/deadline.ts";

t.test("work in time settles as it would alone", async (t) => {
  t.equal(await withDeadline(Promise.resolve(1), 1000), 1);
  await t.rejects(withDeadline(Promise.reject(new TypeError("oh")), 1000), TypeError);
});

t.test("work that is late, and then fails, is no unhandled rejection", async (t) => {
  const late = sleep(20).then(() => Promise.reject(new Error("late")));
  await t.rejects(withDeadline(late, 5), new DeadlineError(5));
  await sleep(30);
});
