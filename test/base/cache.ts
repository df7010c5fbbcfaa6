import t from "tap";
import { getOrCreate, oncePer, setBounded } from "../../src/base/cache.ts";

t.test("a value is made once for its key", async (t) => {
  const map = new Map<string, number>();
  let made = 0;
  const get = (key: string): number => getOrCreate(map, key, () => (made += 1));
  t.same([get("a"), get("b"), get("a")], [1, 2, 1]);
});

t.test("a failure is not kept", async (t) => {
  const map = new Map<string, string>();
  t.throws(() =>
    getOrCreate(map, "a", () => {
      throw new Error("no");
    }),
  );
  t.equal(
    getOrCreate(map, "a", () => "yes"),
    "yes",
  );
});

t.test("a bounded map drops the oldest entry; setting one again makes it the newest", async (t) => {
  const map = new Map([["a", 1]]);
  for (const key of ["b", "a", "c"]) setBounded(map, key, 2, 2);
  t.same([...map.keys()], ["a", "c"]);
});

t.test("once for each object", async (t) => {
  let read = 0;
  const once = oncePer(() => (read += 1));
  const [one, two] = [{}, {}];
  t.same([once(one), once(two), once(one)], [1, 2, 1]);
});
