import { rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { GroupFile } from "../../src/credentials/group-file.ts";

t.test("who is in a group", async (t) => {
  const folder = t.testdir({
    groups: "# staff: eve\r\nstaff: john  ann\r\nstaff:bea\n empty :\nnonsense\n: eve\nodd: a:b\n",
  });
  const groups = new GroupFile(join(folder, "groups"));
  for (const user of ["john", "ann", "bea"]) t.ok(groups.isMember(user, ["none", "staff"]), user);
  t.notOk(groups.isMember("eve", ["staff", "", "# staff", "nonsense", "empty"]));
  t.notOk(groups.isMember("", ["staff", "empty"]));
  t.notOk(groups.isMember("john", []));
  t.notOk(groups.isMember("constructor", ["__proto__"]));
  rmSync(join(folder, "groups"));
  t.throws(() => groups.isMember("john", ["staff"]), { code: "MODTS_USERS_UNREADABLE" });
});
