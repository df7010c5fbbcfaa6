import t from "tap";
import { PageSource } from "../../../src/handlers/pages/page-source.ts";

t.test("a failure names file, line and column, and shows the line", (t) => {
  const text = "first\nsecond <% bad %>\n";
  const source = new PageSource("/pages/a.tsp", text);
  const fail = (offset: number) => () => source.fail("reason", offset);
  t.throws(fail(text.indexOf("bad")), { name: "BuildError", message: /reason.*a\.tsp:2:11/ });
  t.throws(fail(0), { message: /a\.tsp:1:1/ });
  t.end();
});
