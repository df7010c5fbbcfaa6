import t from "tap";
import { readApplication, readBase } from "../../src/adapters/application-options.ts";
import { SectionOptions } from "../../src/section-options.ts";

const bad = { code: "MODTS_BAD_OPTION" };

t.test("application and base", async (t) => {
  const values = { "mod_ts.node.application": "app.ts::api.v1", "mod_ts.node.base": "/app/" };
  t.match(readApplication("node", values), {
    reference: { module: "app.ts", path: ["api", "v1"], text: "app.ts::api.v1" },
    base: "/app",
  });
  t.match(readApplication("node", { "mod_ts.node.application": "app.ts" }), { base: "" });
});

t.test("mistakes", async (t) => {
  t.throws(() => readApplication("node", {}), { ...bad, message: /application: it is missing/ });
  const values = { "mod_ts.node.application": "app.ts", "mod_ts.node.bas": "/" };
  t.throws(() => readApplication("node", values), {
    ...bad,
    message: /there are: application, base/,
  });
  const reference = { "mod_ts.node.application": "::name" };
  t.throws(() => readApplication("node", reference), { code: "MODTS_BAD_REFERENCE" });
});

t.test("a base", async (t) => {
  const base = (text: string) =>
    readBase(new SectionOptions({ "mod_ts.fetch.base": text }, "fetch"));
  t.equal(base("/"), "");
  t.equal(base("/a//b/"), "/a/b");
  t.equal(base("/a%20b"), "/a b");
  for (const text of ["app", "/app?x", "/app#x", "http://www.example.com/app"]) {
    t.throws(() => base(text), bad, text);
  }
});
