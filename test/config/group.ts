import t from "tap";
import { defaultGroup, groupId } from "../../src/config/group.ts";

t.test("the id of a group, by name or number", async (t) => {
  t.equal(groupId("root"), 0);
  t.equal(groupId("17"), 17);
  t.equal(groupId("no-such-group"), undefined);
});

t.test("the default is a group that exists", async (t) => {
  const name = defaultGroup();
  t.ok(name === undefined || groupId(name) !== undefined, name ?? "none");
});
