import t from "tap";
import { FormEntries, quote } from "../../src/request/form-entries.ts";
import { formLimits } from "../../src/request/form-limits.ts";

const limits = {
  ...formLimits({}),
  fields: 2,
  fieldBytes: 4,
  memoryBytes: 8,
  files: 1,
  nameBytes: 3,
};

t.test("fields and files are counted apart", async (t) => {
  const entries = new FormEntries(limits);
  entries.add("a", "1");
  const put = entries.reserve("f");
  entries.add("b", "2");
  put("done");
  t.strictSame(entries.list, [
    ["a", "1"],
    ["f", "done"],
    ["b", "2"],
  ]);
  t.throws(() => entries.add("c", ""), { message: /2 fields/ });
  t.throws(() => entries.reserve("g"), { message: /1 files/ });
});

t.test("bytes, not characters", async (t) => {
  const entries = new FormEntries(limits);
  t.throws(() => entries.add("a", "ääa"), { message: /4 bytes/ });
  t.throws(() => entries.add("ää", ""), { message: /3 bytes/ });
  entries.add("a", "ää");
  t.throws(() => entries.add("b", "ää"), { message: /8 bytes without/ });
});

t.test("a client's text in a message is short and on one line", async (t) => {
  t.equal(quote(`a\r\nSet-Cookie: x${"y".repeat(100)}`).length < 50, true);
  t.notMatch(quote("a\r\nb"), /[\r\n]/);
});
