import { join } from "node:path";
import t from "tap";
import { readTail } from "../../src/httpd/log-tail.ts";

t.test("the last lines of a file", async (t) => {
  const folder = t.testdir({ log: "1\n2\n3\n", empty: "" });
  t.equal(readTail(join(folder, "log"), 2), "2\n3\n");
  t.equal(readTail(join(folder, "log")), "1\n2\n3\n");
  t.equal(readTail(join(folder, "empty")), "");
  t.equal(readTail(join(folder, "missing")), "");
});
