/**
 * The secret that sessions are signed with, in a file that all workers share.
 * @module
 */
import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { ModTsError } from "../errors.ts";
import { FreshFile } from "./fresh-file.ts";

/** Characters that a key must have at least. */
const least = 32;

/** A key file. To replace it ends all sessions. */
export class KeyFile {
  readonly #file: FreshFile<string>;
  readonly #generate: boolean;

  /** @param generate makes the file with a random key when it is not there */
  constructor(path: string, generate: boolean) {
    this.#file = new FreshFile(path, (text) => readKey(text, path));
    this.#generate = generate;
  }

  /** The key. @throws ModTsError `MODTS_USERS_UNREADABLE` when it is missing, short, or open to everybody */
  get(): string {
    if (this.#generate && !statSync(this.#file.path, { throwIfNoEntry: false })) {
      makeKey(this.#file.path);
    }
    return this.#file.get();
  }
}

function readKey(text: string, file: string): string {
  const key = text.trim();
  const refuse = (reason: string): never => {
    throw new ModTsError("MODTS_USERS_UNREADABLE", { file, reason });
  };
  if (key.length < least) return refuse(`a key must have at least ${least} characters`);
  // Whoever reads the key can make a session of any user.
  if ((statSync(file).mode & 0o007) !== 0) return refuse("everybody may open it; chmod 600");
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

/** Whole or not at all: whoever sees the file sees a key in it. */
function writeKey(path: string): void {
  const draft = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(draft, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
  try {
    linkSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}
