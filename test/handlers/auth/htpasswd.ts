/** The group handler; the rest is in test/apache/basic-stores.ts. */
import t from "tap";
import { Stores } from "../../../src/handlers/auth/credentials/stores.ts";
import { createHtpasswd } from "../../../src/handlers/auth/basic.ts";
import { startEngine } from "../../fixtures/gateway.ts";

const folder = t.testdir({
  users: "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n",
  groups: "staff: ann\n",
});
const handlers = createHtpasswd(new Stores(folder));
const peer = await startEngine(t, { htpasswd: { ...handlers, handler: () => 0 } });
const lines = ["authz htpasswd", "handler htpasswd"];
const groups = "option mod_ts.htpasswd.groups groups";
const staff = "option mod_ts.htpasswd.require_group staff";

t.test("members pass, others and nobody do not", async (t) => {
  const ask = async (user: string): Promise<number> =>
    (await peer.ask([...lines, groups, staff], { context: { user } })).status;
  t.equal(await ask("ann"), 200);
  t.equal(await ask("bob"), 403);
  t.equal(await ask(""), 403);
});

t.test("without its options nobody passes", async (t) => {
  for (const options of [[], [groups], [staff], [staff, "option mod_ts.htpasswd.groups gone"]]) {
    const reply = await peer.ask([...lines, ...options], { context: { user: "ann" } });
    t.equal(reply.status, 500, options.join());
  }
});
