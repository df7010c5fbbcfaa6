import t from "tap";
import { DECLINED, DONE, OK } from "../../src/base/outcome.ts";
import {
  DECLINED as inPackage,
  DONE as doneInPackage,
  OK as okInPackage,
} from "../../src/index.ts";

t.test("outcomes have the numbers of httpd.h, and no outcome is an HTTP status", async (t) => {
  t.same([OK, DECLINED, DONE], [0, -1, -2]);
  t.equal(new Set([OK, DECLINED, DONE]).size, 3);
});

t.test("the public API exports the same numbers", async (t) => {
  t.same([okInPackage, inPackage, doneInPackage], [OK, DECLINED, DONE]);
});
