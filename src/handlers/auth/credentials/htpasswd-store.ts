/**
 * Users from files of `htpasswd`: lines `user:hash`.
 *
 * httpd: `mod_authn_file`. Of several entries for one user the first counts, there as here.
 */
import { log } from "../../../base/log.ts";
import { FreshFile } from "./files.ts";
import { dummyHash, type HashScheme, kindOf, schemeOf } from "../../../base/password-hash.ts";
import type { UserStore } from "./verifier.ts";

/** Those of `htpasswd`, and argon2; not plain text and crypt(3), which cuts at 8 characters. */
const accepted: readonly (HashScheme | undefined)[] = ["bcrypt", "argon2", "apr1", "sha1"];

interface Users {
  readonly hashes: ReadonlyMap<string, string>;
  /** One hash of each kind, of the most frequent ones. */
  readonly samples: ReadonlyMap<string, string>;
}

/** Kinds of hashes in a file, of which each refusal computes one. */
const maxKinds = 4;

/** Users of one or more files, absolute paths; a user of an earlier file hides one of a later. */
export class HtpasswdStore implements UserStore {
  readonly name: string;
  readonly files: readonly string[];
  readonly #files: readonly FreshFile<Users>[];
  #users: readonly Users[] = [];

  constructor(paths: readonly string[]) {
    this.name = `htpasswd ${JSON.stringify(paths)}`;
    this.files = paths;
    this.#files = paths.map((path) => new FreshFile(path, userParser(path)));
  }

  /** Rejects with `MODTS_USERS_UNREADABLE` if a file is missing: it may lock a user out. */
  async find(user: string): Promise<string | undefined> {
    const users = this.#files.map((file) => file.get());
    this.#users = users;
    return users.find(({ hashes }) => hashes.has(user))?.hashes.get(user);
  }

  decoys(): Iterable<string> {
    const samples = new Map(this.#users.flatMap((users) => [...users.samples]));
    return samples.size > 0 ? samples.values() : [dummyHash];
  }

  accepts(hash: string): boolean {
    return accepted.includes(schemeOf(hash));
  }

  async close(): Promise<void> {}
}

/** Unusable lines are logged once, by number: their text may be a password. */
function userParser(path: string): (text: string) => Users {
  let told = "";
  return (text) => {
    const { hashes, useless } = parseUsers(text);
    const lines = useless.join(", ");
    if (lines !== "" && lines !== told) {
      const entries = `${path} line ${lines}: nobody can log in with such an entry`;
      log(
        "warn",
        `${entries}; mod_ts takes bcrypt of cost 4 to 16, argon2, $apr1$ and {SHA} (htpasswd -B)`,
      );
    }
    told = lines;
    return { hashes, samples: samplesOf([...hashes.values()]) };
  };
}

function parseUsers(text: string): { hashes: Map<string, string>; useless: number[] } {
  const hashes = new Map<string, string>();
  const useless: number[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const [user = "", hash = ""] = line.split(":");
    if (user === "" || hashes.has(user)) continue;
    if (!accepted.includes(schemeOf(hash.trim()))) useless.push(index + 1);
    hashes.set(user, hash.trim());
  }
  return { hashes, useless };
}

function samplesOf(hashes: readonly string[]): Map<string, string> {
  const accepts = hashes.filter((hash) => accepted.includes(schemeOf(hash)));
  const byKind = [...Map.groupBy(accepts, kindOf)];
  const frequent = byKind.toSorted(([, a], [, b]) => b.length - a.length).slice(0, maxKinds);
  return new Map(frequent.map(([kind, [first = ""]]) => [kind, first]));
}
