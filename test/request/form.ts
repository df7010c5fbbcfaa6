import t from "tap";
import { Form } from "../../src/request/form.ts";
import { Upload } from "../../src/request/upload.ts";

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
