import t from "tap";
import * as methods from "../../src/request/methods.ts";

t.test("numbers of httpd.h", async (t) => {
  t.equal(methods.methodNumberOf("GET"), methods.M_GET);
  t.equal(methods.methodNumberOf("HEAD"), methods.M_GET);
  t.equal(methods.methodNumberOf("get"), methods.M_INVALID, "methods have a case");
  t.equal(methods.methodNumberOf("BREW"), methods.M_INVALID);
  for (const [name, number] of Object.entries(methods)) {
    if (!name.startsWith("M_") || name === "M_INVALID") continue;
    t.equal(methods.methodNumberOf(name.slice(2).replace("_", "-")), number, name);
  }
});

t.test("methodMask", async (t) => {
  t.equal(methods.methodMask(["GET", "HEAD", "POST", "BREW"]), 0b101);
  t.equal(methods.methodMask([]), 0);
});
