import t from "tap";
import { foundInRow } from "../../src/sessions/session-store.ts";

t.test("a row of any driver becomes a record: numbers as numbers, data as text", (t) => {
  const record = { created: 1, accessed: 2, timeout: 3, expires: 4, data: '{"a":1}' };
  t.strictSame(foundInRow(["me", 1, 2, 3, 4, '{"a":1}']), { lock: "me", record });
  const texts = ["", "1", "2", "3", "4", '{"a":1}'];
  t.strictSame(foundInRow(texts), { lock: "", record }, "an empty lock is none");
  t.strictSame(foundInRow(["", 1n, 2n, 3n, 4n, Buffer.from('{"a":1}')]), { lock: "", record });
  t.end();
});

t.test("without a lock there is no record", (t) => {
  for (const row of [null, [], [null, null, null, null, null, null]]) {
    t.equal(foundInRow(row), undefined, JSON.stringify(row));
  }
  t.end();
});
