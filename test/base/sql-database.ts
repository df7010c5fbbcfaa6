import t from "tap";
import { withinTimeout } from "../../src/base/sql-database.ts";

t.test("an answer, a failure, and neither", async (t) => {
  let ended = 0;
  const end = (): void => void (ended += 1);
  t.equal(await withinTimeout(Promise.resolve(7), end), 7);
  await t.rejects(withinTimeout(Promise.reject(new Error("no")), end), /no/);
  t.equal(ended, 0);
  await t.rejects(withinTimeout(new Promise(() => {}), end), /no answer within/);
  t.equal(ended, 1);
});
