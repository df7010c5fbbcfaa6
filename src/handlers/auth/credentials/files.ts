/** Files of users, groups and keys, read again when they change: adding a user needs no restart. */
import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { ModTsError } from "../../../base/errors.ts";

/** Milliseconds; two saves within one tick of the file system's clock look the same. */
const timestampGranularityMs = 50;

/** A parsed file, parsed again when it changes. */
export class FreshFile<T> {
  readonly path: string;
  readonly #parse: (text: string) => T;
  #signature = "";
  #value: T | undefined;

  /** @param parse called once for each version of the file; {@link get} throws its errors */
  constructor(path: string, parse: (text: string) => T) {
    this.path = path;
    this.#parse = parse;
  }

  /** Throws `MODTS_USERS_UNREADABLE` for a missing file: its older version is not used. */
  get(): T {
    try {
      const signature = signatureOf(this.path);
      if (signature !== "" && signature === this.#signature) return this.#value as T;
      this.#signature = "";
      this.#value = this.#parse(readFileSync(this.path, "utf8"));
      this.#signature = signature;
      return this.#value;
    } catch (cause) {
      if (cause instanceof ModTsError) throw cause;
      const reason = (cause as Error).message;
      throw new ModTsError("MODTS_USERS_UNREADABLE", { file: this.path, reason });
    }
  }
}

/** What changes with every save; empty while the file may change within the same tick. */
function signatureOf(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = statSync(path, { bigint: true });
  if (Math.abs(Date.now() - Number(ctimeMs)) < timestampGranularityMs) return "";
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}

export class GroupFile extends FreshFile<ReadonlyMap<string, ReadonlySet<string>>> {
  /** @param path absolute */
  constructor(path: string) {
    super(path, parseGroups);
  }

  /** Whether the user is in one of the groups. @throws ModTsError `MODTS_USERS_UNREADABLE` */
  isMember(user: string, groups: readonly string[]): boolean {
    const members = this.get();
    return groups.some((group) => members.get(group)?.has(user) ?? false);
  }
}

/** A group may take several lines. */
function parseGroups(text: string): Map<string, Set<string>> {
  const groups = new Map<string, Set<string>>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon < 1 || line.startsWith("#")) continue;
    const name = line.slice(0, colon).trim();
    const users = line
      .slice(colon + 1)
      .split(/\s+/)
      .filter(Boolean);
    groups.set(name, new Set([...(groups.get(name) ?? []), ...users]));
  }
  return groups;
}

/** Characters that a key must have at least. */
const least = 32;

/** A key file. Replacing it ends all sessions. */
export class KeyFile extends FreshFile<string> {
  readonly #generate: boolean;

  /**
   * @param path absolute
   * @param generate creates the file with a random key if it is missing
   */
  constructor(path: string, generate: boolean) {
    super(path, (text) => readKey(text, path));
    this.#generate = generate;
  }

  /** Throws `MODTS_USERS_UNREADABLE` for a missing, short or world-readable key. */
  override get(): string {
    if (this.#generate && !statSync(this.path, { throwIfNoEntry: false })) makeKey(this.path);
    return super.get();
  }
}

function readKey(text: string, file: string): string {
  const key = text.trim();
  const refuse = (reason: string): never => {
    throw new ModTsError("MODTS_USERS_UNREADABLE", { file, reason });
  };
  if (key.length < least) return refuse(`key must have at least ${least} characters`);
  // A reader of the key can make a session of any user.
  if ((statSync(file).mode & 0o007) !== 0) return refuse("file is world-readable; run chmod 600");
  return key;
}

function makeKey(path: string): void {
  try {
    writeKey(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Another worker did the same at this moment.
    if (code === "EEXIST") return;
    throw new ModTsError("MODTS_USERS_UNREADABLE", { file: path, reason: message });
  }
}

/** Atomic: a file that exists has a key in it. */
function writeKey(path: string): void {
  const draft = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  try {
    writeFileSync(draft, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
    linkSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}
