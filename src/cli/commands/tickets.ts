/** `mod-ts tickets`: what `TsTicket` has given out. */
import { TicketStore } from "../../base/ticket-store.ts";
import { loadConfig } from "../../config/config-file.ts";
import { findRunDirectory } from "../../supervisor/run-directory.ts";
import { type CommandOption, parseCommand, UsageError } from "./command.ts";

export const usage = "tickets [count | revoke] [directory]";

export const summary = `Counts or revokes the tickets of a sidecar (TsTicket).

"revoke" needs --user or --all. The next request of the visitor is checked again; a user who is
still allowed gets a new ticket. Works while the sidecar is down, too.
Run it as the user of the sidecar, or as root.`;

export const options = {
  user: { type: "string", description: "revoke the tickets of one user", placeholder: "name" },
  all: { type: "boolean", description: "revoke all tickets" },
} as const satisfies Record<string, CommandOption>;

/** Returns 0. Throws like `loadConfig`. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseCommand(options, argv, 2);
  const [action = "count", directory = "."] = positionals;
  const { user, all } = values;
  if (action !== "count" && action !== "revoke") {
    throw new UsageError(`unknown action: ${action}; expected count or revoke`);
  }
  const isTarget = (user !== undefined) !== (all === true);
  if (action === "revoke" && !isTarget) throw new UsageError("revoke needs --user or --all");
  if (action === "count" && (user !== undefined || all)) {
    throw new UsageError("--user and --all are for revoke");
  }
  const config = await loadConfig(directory);
  const store = new TicketStore(findRunDirectory(config));
  if (action === "count") process.stdout.write(`${store.count()}\n`);
  else if (user === undefined) store.revokeAll();
  // Without a directory there are no tickets.
  else if (store.isOpen) store.revoke(store.ownerOf({ user }));
  return 0;
}
