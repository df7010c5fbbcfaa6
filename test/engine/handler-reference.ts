import t from "tap";
import { parseReference } from "../../src/engine/handler-reference.ts";

t.test("a handler reference", (t) => {
  t.match(parseReference("a/b.ts"), { module: "a/b.ts", path: [] });
  t.match(parseReference("a.ts::name"), { module: "a.ts", path: ["name"] });
  t.match(parseReference("a.ts::Class.method"), { module: "a.ts", path: ["Class", "method"] });
  t.match(parseReference("mod_ts/test-page"), { module: "mod_ts/test-page", path: [] });
  for (const bad of ["::x", "a.ts::", "a.ts::x::y", "a.ts::x..y"]) {
    t.throws(() => parseReference(bad), { code: "MODTS_BAD_REFERENCE" }, bad);
  }
  t.end();
});
