import t from "tap";
import { Form, FormEntries, quote } from "../../../src/request/body/form.ts";
import { Upload } from "../../../src/request/body/upload.ts";
import { formLimits } from "../../../src/request/body/form-limits.ts";

const head = { name: "f", filename: "a.txt", clientFilename: "a.txt", type: "text/plain" };
const file = new Upload(head, 3, undefined);
const form = new Form([
  ["b", "1"],
  ["a", "2"],
  ["b", "3"],
  ["f", file],
  ["__proto__", "p"],
]);

t.test("one value, or all of a name that was sent more than once", async (t) => {
  t.equal(form.get("a"), "2");
  t.strictSame(form.get("b"), ["1", "3"]);
  t.equal(form.get("missing"), undefined);
  t.equal(form.getFirst("b"), "1");
  t.strictSame(form.getAll("a"), ["2"]);
  t.strictSame(form.getAll("missing"), []);
  t.equal(form.get("f"), file);
});

t.test("text and files are told apart, whatever a client sends", async (t) => {
  t.equal(form.text("a"), "2");
  t.equal(form.text("f"), undefined);
  t.equal(form.file("f"), file);
  t.equal(form.file("a"), undefined);
  t.equal(form.file("missing"), undefined);
});

t.test("names and order", async (t) => {
  t.equal(form.size, 4);
  t.strictSame(form.names(), ["b", "a", "f", "__proto__"]);
  t.strictSame(
    [...form].map(([name]) => name),
    ["b", "a", "b", "f", "__proto__"],
  );
  t.equal(form.getFirst("__proto__"), "p");
  for (const name of ["constructor", "toString", "hasOwnProperty"]) t.notOk(form.has(name), name);
});

t.test("what is given out is the caller's own", async (t) => {
  form.getAll("b").push("4");
  (form.get("b") as string[]).push("5");
  t.strictSame(form.getAll("b"), ["1", "3"]);
});

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
