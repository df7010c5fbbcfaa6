import { once } from "node:events";
import t from "tap";
import { startProcess } from "../../src/supervisor/start-process.ts";

t.test("a start that throws is an event", async (t) => {
  const child = startProcess(() => {
    throw new Error("spawn ENOMEM");
  });
  const [error] = (await once(child, "error")) as [Error];
  t.equal(error.message, "spawn ENOMEM");
  t.equal(child.pid, undefined);
  t.notOk(child.kill(), "nothing to kill");
});
