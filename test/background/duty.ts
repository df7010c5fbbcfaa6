import { join } from "node:path";
import t from "tap";
import { Duty } from "../../src/background/duty.ts";

t.test("one at a time, and the next knows since when", async (t) => {
  const path = join(t.testdir(), "duty.db");
  const first = await Duty.take(path);
  t.equal(first?.since, undefined);
  t.equal(await Duty.take(path), undefined);
  const before = Date.now();
  first?.note();
  first?.end();
  const second = await Duty.take(path);
  t.ok((second?.since ?? 0) >= before);
  second?.end();
});
