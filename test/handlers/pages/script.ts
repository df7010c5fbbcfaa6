import t from "tap";
import { Script } from "../../../src/handlers/pages/script.ts";

const page = "<% a\n  b %>\n`${x}`\r\n<%= c %>";

t.test("pieces keep their lines; columns are told where they moved", async (t) => {
  const script = new Script(page);
  script.add("begin; ");
  script.copy(2, 9);
  script.skip(9, 12);
  script.add("$out += `");
  script.quote(12, 20);
  script.add("`, ");
  script.copy(23, 26);
  t.equal(script.code, "begin;  a\n  b \n$out += `\\`\\${x}\\`\\r\n`,  c ");
  t.same(script.columns, [
    [1, 7, 2],
    [4, 3, 3],
  ]);
});

t.test("what has a meaning in a template string loses it", async (t) => {
  const text = "`\\${$ $$\u2028\r";
  const script = new Script(text);
  script.quote(0, text.length);
  t.equal(script.code, "\\`\\\\\\${$ $$\\u2028\\r");
  // oxlint-disable-next-line no-eval
  t.equal((0, eval)(`\`${script.code}\``), text);
});
