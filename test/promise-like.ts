import t from "tap";
import { isPromiseLike } from "../src/promise-like.ts";

t.test("promises, and what acts like one", async (t) => {
  const having = (then: unknown): unknown => new Proxy({}, { get: () => then });
  for (const value of [Promise.resolve(1), having(() => {})]) t.ok(isPromiseLike<unknown>(value));
  for (const value of [undefined, null, 0, "then", having(1), () => {}]) {
    t.notOk(isPromiseLike<unknown>(value));
  }
});
