import t from "tap";
import { countWorkers, defined, guardWorkers, resolvePools } from "../../src/config/pools.ts";

t.test("each pool has its limits, and the defaults of the others", async (t) => {
  const pools = resolvePools({ main: { workers: 2, age: 5 }, reports: { workers: 1 } });
  t.same(pools["main"], {
    workers: 2,
    memoryBytes: 1024 ** 3,
    heapBytes: 0,
    requests: 0,
    age: 5,
  });
  t.equal(pools["reports"]?.age, 0, "a limit holds for its own pool only");
  t.equal(countWorkers({ pools }), 3, "all workers");
});

t.test("an undefined limit is the default, and 0 is none", async (t) => {
  const pool = { workers: 1, memoryBytes: undefined, requests: 0 } as unknown as { workers: 1 };
  t.match(resolvePools({ main: pool })["main"], { memoryBytes: 1024 ** 3, requests: 0 });
  t.same(defined({ a: undefined, b: 0, c: null }), { b: 0, c: null });
  t.same(defined(undefined), {});
});

t.test("workers that decide about access", async (t) => {
  const cases = [
    [{}, 4, 0, "none without an authorizer"],
    [{ authorizer: {} }, 4, 2, "two"],
    [{ authorizer: {} }, 1, 1, "no more than serve content"],
    [{ authorizer: {}, development: true }, 4, 0, "none in development"],
    [{ authorizer: { workers: 3 }, development: true }, 1, 3, "as configured"],
    [{ authorizer: { workers: 0 } }, 4, 0, "none if so configured"],
  ] as const;
  for (const [config, main, expected, name] of cases)
    t.equal(guardWorkers(config, main), expected, name);
});
