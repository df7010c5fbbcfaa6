/** Names that lead nowhere. */
import t from "tap";
import { isPrivate, isPrivateExport } from "../../src/publisher/names.ts";

t.test("in any object: an underscore, and guards", async (t) => {
  for (const name of ["_", "_a", "__proto__", "auth", "access", "realm"]) {
    t.ok(isPrivate(name), name);
    t.ok(isPrivateExport(name), name);
  }
  for (const name of ["a", "a_", "author", "constructor", ""]) t.notOk(isPrivate(name), name);
});

t.test("in a module: what somebody else looks for, too", async (t) => {
  for (const name of ["handler", "authenHandler", "cleanupHandler", "webSocketHandler"]) {
    t.ok(isPrivateExport(name), name);
    t.notOk(isPrivate(name), name);
  }
  for (const name of ["default", "then", "dispose", "parameters"]) t.ok(isPrivateExport(name));
  for (const name of ["index", "handlers", "toString"]) t.notOk(isPrivateExport(name), name);
});
