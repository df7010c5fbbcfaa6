import { constants } from "node:fs";
import t from "tap";
import { canAccess, readStart } from "../../src/base/files.ts";

t.test("access is that of this process", async (t) => {
  const directory = t.testdir({ file: "" });
  t.ok(canAccess(`${directory}/file`, constants.R_OK));
  t.notOk(canAccess(`${directory}/file`, constants.X_OK));
  t.notOk(canAccess(`${directory}/none`, constants.R_OK));
});

t.test("the first bytes of a file, of any length", async (t) => {
  const directory = t.testdir({ long: "12345", short: "1", none: "" });
  t.equal(readStart(`${directory}/long`, 3).toString(), "123");
  t.equal(readStart(`${directory}/short`, 3).toString(), "1");
  t.equal(readStart(`${directory}/none`, 3).length, 0);
  t.throws(() => readStart(`${directory}/gone`, 3), { code: "ENOENT" });
});
