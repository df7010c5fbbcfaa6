import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import {
  attempt,
  DeadlineError,
  ignoring,
  isPromiseLike,
  withinTime,
} from "../../src/base/attempt.ts";

t.test("work in time settles as it would alone", async (t) => {
  t.equal(await withinTime(Promise.resolve(1), 1000), 1);
  await t.rejects(withinTime(Promise.reject(new TypeError("oh")), 1000), TypeError);
});

t.test("work that is late, and then fails, is no unhandled rejection", async (t) => {
  const late = Promise.withResolvers<never>();
  await t.rejects(withinTime(late.promise, 5), new DeadlineError(5));
  late.reject(new Error("late"));
  // Node reports unhandled rejections when the microtasks of a turn are done.
  await turn();
});

t.test("promises, and what acts like one", async (t) => {
  const having = (then: unknown): unknown => new Proxy({}, { get: () => then });
  for (const value of [Promise.resolve(1), having(() => {})]) t.ok(isPromiseLike<unknown>(value));
  for (const value of [undefined, null, 0, "then", having(1), () => {}]) {
    t.notOk(isPromiseLike<unknown>(value));
  }
});

t.test("what throws has its fallback", async (t) => {
  t.equal(
    attempt(() => JSON.parse("7") as number, undefined),
    7,
  );
  t.equal(
    attempt(() => JSON.parse("{") as number, "none"),
    "none",
  );
});

t.test("one error of the system can be expected, and no other", async (t) => {
  const directory = t.testdir({ file: "text" });
  t.equal(
    ignoring("ENOENT", () => readFileSync(`${directory}/file`, "utf8")),
    "text",
  );
  t.equal(
    ignoring("ENOENT", () => readFileSync(`${directory}/none`, "utf8")),
    undefined,
  );
  t.throws(() => ignoring("ENOENT", () => readFileSync(directory, "utf8")), { code: "EISDIR" });
});
