import t from "tap";
import { Repeats } from "../../src/base/repeats.ts";

t.test("equal lines beyond the limit are counted, and reported once", async (t) => {
  const reported: [string, number][] = [];
  const repeats = new Repeats<string>({
    most: 2,
    window: 3_600_000,
    report: (first, more) => reported.push([first, more]),
  });
  t.same(
    ["first", "second", "third", "fourth"].map((line) => repeats.admits("a", line)),
    [true, true, false, false],
  );
  t.ok(repeats.admits("b", "other"));
  repeats.flush();
  t.same(reported, [["first", 2]]);
  t.ok(repeats.admits("a", "a new window begins"));
  repeats.flush();
  t.equal(reported.length, 1);
});

t.test("a flood of different lines is written, and holds no memory", async (t) => {
  const repeats = new Repeats<string>({ most: 1, window: 3_600_000, report: () => {} });
  for (let index = 0; index < 1000; index += 1) repeats.admits(String(index), "");
  t.ok(repeats.admits("one more", ""));
  t.ok(repeats.admits("one more", ""));
  t.notOk(repeats.admits("0", ""));
  repeats.flush();
});
