import t from "tap";
import { finding, problem, rules } from "../../src/httpd/finding.ts";

t.test("a finding has the texts that there are", async (t) => {
  t.same(finding("ok", "fine"), { level: "ok", what: "fine" }, "nothing is undefined");
  t.same(finding("note", "odd", { where: "a:1", todo: "look" }), {
    level: "note",
    what: "odd",
    where: "a:1",
    todo: "look",
  });
});

t.test("a problem has the level of its rule", async (t) => {
  t.same(problem("guard-open", "open", undefined, "close it"), {
    level: "bad",
    rule: "guard-open",
    what: "open",
    todo: "close it",
  });
  t.equal(problem("debug-on", "on", "a:1", "off").level, rules["debug-on"]);
});
