import t, { Test } from "tap";
import "./fixtures/sentences.ts";

t.test("a line without a message of its own names the test that it stands in", async (t) => {
  const example = new Test({ name: "two and two" });
  example.equal(2 + 2, 5);
  example.same([2 + 2], [4]);
  example.ok(true, "they are numbers");
  example.test("the sum of nothing", async (inner) => {
    inner.throws(() => 0);
  });
  example.end();
  const lines = (await example.concat()).toString().match(/^ *(?:not )?ok .*/gm) ?? [];
  t.same(
    lines.map((line) => line.trim().replace(/ # time.*/, "")),
    [
      "not ok 1 - two and two: should be equal",
      "ok 2 - two and two: should be equivalent",
      "ok 3 - they are numbers",
      "not ok 1 - the sum of nothing: expected to throw",
      "not ok 4 - the sum of nothing",
    ],
  );
});
