import t from "tap";
import { OutputBytes } from "../../../src/request/response/output-bytes.ts";

t.test("bytes that are alone are not copied; who sends them releases them", async (t) => {
  const output = new OutputBytes("");
  const bytes = Buffer.from("abc");
  let released = 0;
  output.add({ bytes, release: () => void (released += 1) });
  t.equal(output.length, 3);
  const { body, left } = output.join();
  t.equal(body, bytes);
  t.equal(released, 0);
  left?.();
  t.equal(released, 1);
});

t.test("several are joined, and can be released at once", async (t) => {
  const output = new OutputBytes("ö");
  const bytes = Buffer.from("abc");
  output.add({ bytes, release: () => void bytes.fill("x") });
  output.add("d");
  output.add({ bytes: Buffer.from("e") });
  t.equal(output.length, 7);
  const { body, left } = output.join();
  t.equal(String(bytes), "xxx");
  t.equal(String(body), "öabcde");
  t.type(left, "function", "memory that is used again as well");
});
