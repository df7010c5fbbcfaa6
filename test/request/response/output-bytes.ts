import t from "tap";
import { OutputBytes } from "../../../src/request/response/output-bytes.ts";

t.test("bytes that are alone are not copied; who sends them releases them", async (t) => {
  const output = new OutputBytes();
  const bytes = Buffer.from("abc");
  let released = 0;
  output.add(bytes, () => void (released += 1));
  t.equal(output.length, 3);
  const { body, left } = output.join();
  t.equal(body, bytes);
  t.equal(released, 0);
  left?.();
  t.equal(released, 1);
});

t.test("several are joined, and can be released at once", async (t) => {
  const output = new OutputBytes();
  const bytes = Buffer.from("abc");
  output.add(bytes, () => void bytes.fill("x"));
  output.add(Buffer.from("de"));
  t.equal(output.length, 5);
  const { body, left } = output.join();
  t.equal(String(bytes), "xxx");
  t.equal(String(body), "abcde");
  t.equal(left, undefined);
});
