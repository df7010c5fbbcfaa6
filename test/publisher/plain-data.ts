/** Values that go out without a function that gives them. */
import t from "tap";
import { isPlainData } from "../../src/publisher/plain-data.ts";

t.test("text, numbers, and plain objects and lists of them", async (t) => {
  const bare = Object.assign(Object.create(null), { a: 1 }) as object;
  for (const value of ["", 0, true, 1n, null, undefined, {}, [], [[1, { a: [null] }]], bare]) {
    t.ok(isPlainData(value));
  }
  const shared = { a: 1 };
  t.ok(isPlainData([shared, shared]), "twice is no circle");
});

t.test("nothing that a URL of its own would not give", async (t) => {
  class Shop {
    open = true;
  }
  const circle: unknown[] = [];
  circle.push({ circle });
  for (const [name, value] of Object.entries({
    function: () => 1,
    symbol: Symbol("s"),
    instance: new Shop(),
    date: new Date(0),
    map: new Map(),
    buffer: Buffer.from("a"),
    proxy: new Proxy({}, {}),
    getter: {
      get a() {
        return 1;
      },
    },
    method: { a: () => 1 },
    private: { a: { _b: 1 } },
    guard: { a: { auth: {}, b: 1 } },
    nested: [new Shop()],
    circle,
    inherited: Object.create({ a: 1 }) as object,
    toJSON: { toJSON: () => 1 },
  })) {
    t.notOk(isPlainData(value), name);
  }
});
