/** The command, on a directory of tickets that no sidecar uses. */
import t, { type Test } from "tap";
import { prepareTickets, TicketStore } from "../../../src/base/ticket-store.ts";
import { UsageError } from "../../../src/cli/commands/command.ts";
import { run } from "../../../src/cli/commands/tickets.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

/** A sidecar's directory with a ticket of each user. */
function withTickets(t: Test, ...users: string[]): string {
  const folder = shortFolder(t, { "mod-ts.config.json": '{"run":"."}' });
  prepareTickets(folder, undefined);
  const store = new TicketStore(folder);
  const end = String((Math.floor(Date.now() / 10_000) + 10) * 10);
  for (const [at, user] of users.entries()) {
    const place = { end, owner: store.ownerOf({ user }), digest: String(at).repeat(40) };
    store.write(place, `${user}\n`, Date.now(), 32);
  }
  return folder;
}

async function count(t: Test, folder: string): Promise<string> {
  const output = t.capture(process.stdout, "write");
  await run(["count", folder]).finally(() => output.restore());
  return output()
    .flatMap(({ args }) => args.map(String))
    .join("");
}

t.test("revokes the tickets of one user, or all", async (t) => {
  const folder = withTickets(t, "ann", "bob", "cid");
  t.equal(await count(t, folder), "3\n");
  t.equal(await run(["revoke", "--user", "ann", folder]), 0);
  t.equal(await count(t, folder), "2\n");
  t.equal(await run(["revoke", "--all", folder]), 0);
  t.equal(await count(t, folder), "0\n");
});

t.test("where a sidecar never ran there are no tickets", async (t) => {
  const folder = shortFolder(t, { "mod-ts.config.json": '{"run":"."}' });
  t.equal(await count(t, folder), "0\n");
  t.equal(await run(["revoke", "--user", "ann", folder]), 0);
});

t.test("revokes nothing that was not asked for", async (t) => {
  const folder = withTickets(t, "ann");
  const wrong = [
    ["revoke", folder],
    ["revoke", "--all", "--user", "ann", folder],
    ["count", "--all", folder],
    ["remove", "--all", folder],
  ];
  for (const argv of wrong) await t.rejects(run(argv), UsageError, argv.slice(0, -1).join(" "));
  t.equal(await count(t, folder), "1\n");
});
