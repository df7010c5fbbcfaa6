/**
 * Directory of tickets: decisions of the authorizer that Apache repeats by a file test.
 *
 * ```
 * tickets/                                     0710, group of httpd: files can be tested, not listed
 *   key                                        0600, new at each start, kept by an upgrade
 *   revoked/<owner>, revoked/all               time of the last revocation
 *   1795860900/<owner>/<digest>                by the time at which they expire, in seconds since 1970
 * ```
 *
 * The file system is the truth for all workers, and for Apache: what is unlinked is over.
 */
import { createHmac, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { attempt, ignoring } from "./attempt.ts";
import { log } from "./log.ts";

/** Seconds for which a ticket can be valid. */
export const longestTicket = 3600;

/** Milliseconds by which the clock of the file system may be behind. */
const clockTickMs = 50;

/** Milliseconds after which nothing in a directory of tickets can be valid. */
const leftOverMs = (longestTicket + 60) * 1000;

const slotName = /^\d{10}$/;
const all = "all";

/** Where a ticket lies. */
export interface TicketPlace {
  /** Time at which it expires, in seconds since 1970. */
  readonly end: string;
  /** See {@link TicketStore.ownerOf}. */
  readonly owner: string;
  /** 40 hexadecimal digits. */
  readonly digest: string;
}

/** Creates the empty directory. Throws if that is impossible: tickets of an earlier run would be valid. */
export function prepareTickets(run: string, group: number | undefined): void {
  removeTickets(run);
  const directory = directoryOf(run);
  mkdirSync(directory, { mode: 0o700 });
  mkdirSync(join(directory, "revoked"), { mode: 0o700 });
  writeFileSync(join(directory, "key"), randomBytes(32), { mode: 0o600 });
  try {
    if (group !== undefined) chownSync(directory, process.geteuid?.() ?? -1, group);
  } catch {
    // The sockets have the same problem, and a line in the log. Without the group Apache finds no ticket.
  }
  chmodSync(directory, sharedMode);
}

/** Removes all tickets, and the directory. */
export function removeTickets(run: string): void {
  const directory = directoryOf(run);
  // For Apache they are removed at once, however many there are.
  renameAndRemove(directory, `${directory}.${randomBytes(6).toString("hex")}`);
}

/** Ends all tickets; the directory stays. Never throws: the supervisor calls it when a worker has died. */
export function revokeTickets(run: string): void {
  try {
    new TicketStore(run).revokeAll();
  } catch (error) {
    log("crit", `tickets in ${run} cannot be revoked, and are valid until they expire`, { error });
  }
}

/** Without the set-group-ID bit, which `RestrictSUIDSGID=` of the systemd unit forbids. */
const sharedMode = 0o710;

export class TicketStore {
  readonly #directory: string;
  #key: Buffer | undefined;

  /** @param run directory of the sockets */
  constructor(run: string) {
    this.#directory = directoryOf(run);
  }

  /** Whether there is a directory; only a running supervisor has one. */
  get isOpen(): boolean {
    return this.#readKey() !== undefined;
  }

  /** Name of the directories with the tickets of a user, or of an address without a user. */
  ownerOf(who: { readonly user: string } | { readonly address: string }): string {
    const text = "user" in who ? `user ${who.user}` : `address ${who.address}`;
    return this.mac(`owner ${text}`).toString("hex").slice(0, 16);
  }

  /** HMAC-SHA256 with a key that no other process and no earlier run has. */
  mac(text: string): Buffer {
    const key = this.#readKey();
    if (!key) throw new Error("there is no directory of tickets");
    return createHmac("sha256", key).update(text).digest();
  }

  /**
   * Writes a ticket, unless tickets of the owner were revoked after `since`, milliseconds since 1970.
   * Attack: a decision begins, the password changes and all tickets are revoked, the decision ends.
   */
  write(place: TicketPlace, text: string, since: number, limit: number): boolean {
    const file = this.#file(place);
    const draft = `${file}.${randomBytes(6).toString("hex")}`;
    const isWritten = ignoring("ENOENT", () => {
      const group = statSync(this.#directory).gid;
      makeShared(dirname(dirname(file)), group);
      makeShared(dirname(file), group);
      if (readdirSync(dirname(file)).length >= limit && !exists(file)) return false;
      try {
        writeFileSync(draft, text, { flag: "wx", mode: 0o640 });
        share(draft, group, 0o640);
        renameSync(draft, file);
        return true;
      } finally {
        // On a full disk an empty one is left, which would count against the limit.
        rmSync(draft, { force: true });
      }
    });
    // Undefined: a revocation has removed the directory meanwhile.
    if (!isWritten) return false;
    if (!this.#wasRevoked(place.owner, since) && !this.#wasRevoked(all, since)) return true;
    rmSync(file, { force: true });
    return false;
  }

  /** Content of a ticket by the path that Apache has found; undefined if it is over. */
  read(path: string): string | undefined {
    const [, end = "", owner = "", digest = ""] =
      /\/(\d{10})\/([0-9a-f]{16})\/([0-9a-f]{40})$/.exec(path) ?? [];
    if (!end) return undefined;
    return attempt(() => readFileSync(this.#file({ end, owner, digest }), "utf8"), undefined);
  }

  has(place: Omit<TicketPlace, "digest">): boolean {
    return exists(join(this.#directory, place.end, place.owner));
  }

  /** Ends the tickets of one owner. */
  revoke(owner: string): void {
    this.#revoke(owner, (end) => join(end, owner));
  }

  /** Ends all tickets. */
  revokeAll(): void {
    this.#revoke(all, (end) => end);
  }

  /** Removes those that expire at `end`. */
  expire(end: string): void {
    this.#remove(join(this.#directory, end));
  }

  /** Removes what workers that died have left. */
  sweep(): void {
    const places = [...this.#slots(), ...this.#names("revoked").map((name) => `revoked/${name}`)];
    for (const path of places.map((name) => join(this.#directory, name))) {
      if (Date.now() - timeOf(path) > leftOverMs) this.#remove(path);
    }
  }

  /** Number of tickets, expired ones included until they are removed. */
  count(): number {
    const owners = this.#slots().flatMap((end) =>
      this.#names(end).map((owner) => join(end, owner)),
    );
    return owners.reduce((sum, owner) => sum + this.#names(owner).length, 0);
  }

  /** Removes the directory, unless another supervisor has made a new one. */
  close(): void {
    const key = this.#key;
    this.#key = undefined;
    const isOurs = key !== undefined && this.#readKey()?.equals(key);
    if (isOurs) removeTickets(dirname(this.#directory));
    // Read again above: without a directory, the store is not open.
    this.#key = undefined;
  }

  #wasRevoked(name: string, since: number): boolean {
    return timeOf(join(this.#directory, "revoked", name)) + clockTickMs >= since;
  }

  #revoke(name: string, place: (end: string) => string): void {
    const note = join(this.#directory, "revoked", name);
    const now = Date.now() / 1000;
    try {
      ignoring("ENOENT", () => {
        // Empty, as a full disk has room for it.
        writeFileSync(note, "", { mode: 0o600 });
        utimesSync(note, now, now);
      });
    } finally {
      // Attack: the note cannot be written, and the tickets outlive the logout.
      for (const end of this.#slots()) this.#remove(join(this.#directory, place(end)));
    }
  }

  /** Renamed first: a directory into which another worker writes cannot be removed in one step. */
  #remove(path: string): void {
    renameAndRemove(path, join(this.#directory, `removed-${randomBytes(6).toString("hex")}`));
  }

  #slots(): string[] {
    return this.#names("").filter((name) => slotName.test(name));
  }

  #names(directory: string): string[] {
    return ignoring("ENOENT", () => readdirSync(join(this.#directory, directory))) ?? [];
  }

  #file({ end, owner, digest }: TicketPlace): string {
    return join(this.#directory, end, owner, digest);
  }

  #readKey(): Buffer | undefined {
    return (this.#key ??= ignoring("ENOENT", () => readFileSync(join(this.#directory, "key"))));
  }
}

function directoryOf(run: string): string {
  return join(run, "tickets");
}

/** Renamed first: no process finds it any more, or writes into it while it is removed. */
function renameAndRemove(path: string, aside: string): void {
  ignoring("ENOENT", () => renameSync(path, aside));
  rmSync(aside, { recursive: true, force: true });
}

/** The group of httpd may use it; whatever the umask is. */
function share(path: string, group: number, mode: number): void {
  if (statSync(path).gid !== group) chownSync(path, process.geteuid?.() ?? -1, group);
  chmodSync(path, mode);
}

function makeShared(directory: string, group: number): void {
  ignoring("EEXIST", () => {
    mkdirSync(directory, { mode: 0o700 });
    share(directory, group, sharedMode);
  });
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Milliseconds since 1970; 0 for a missing file. */
function timeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
