import t from "tap";
import { addToVital, setVital, vitals } from "../../src/base/vitals.ts";
import { exceededLimit, isRunaway } from "../../src/supervisor/worker-limits.ts";

const mebibyte = 1024 ** 2;

t.test("each limit, and none", async (t) => {
  addToVital("requests", 50);
  addToVital("overdue", 3);
  setVital("heap", 40 * 1024);
  const usage = { rss: 300 * mebibyte, vitals: [...vitals], age: 90_000 };
  const reason = (limits: object): string | undefined => exceededLimit(limits, usage);
  t.equal(reason({}), undefined);
  const none = { memoryBytes: 0, heapBytes: 0, requests: 0, age: 0, overdueHandlers: 0 };
  t.equal(reason(none), undefined, "0 is no limit");
  t.equal(reason({ memoryBytes: 200 * mebibyte }), "memory of 300 MiB, limit 200 MiB");
  t.equal(reason({ heapBytes: 32 * mebibyte }), "heap of 40 MiB, limit 32 MiB");
  t.equal(reason({ requests: 50 }), "50 requests, limit 50");
  t.equal(reason({ age: 60_000 }), "age of 90 s, limit 60000 ms");
  t.equal(reason({ overdueHandlers: 3 }), "3 handlers that run after their 504");
  t.equal(reason({ requests: 51, age: 100_000, overdueHandlers: 4 }), undefined);
  t.equal(isRunaway({ memoryBytes: 200 * mebibyte }, usage), false);
  t.equal(isRunaway({ memoryBytes: 100 * mebibyte }, usage), true);
  t.equal(isRunaway({}, usage), false);
});
