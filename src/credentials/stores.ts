/**
 * The stores of users that the Apache configuration names, each opened once in a process.
 * @module
 */
import { resolve } from "node:path";
import { SectionOptions } from "../section-options.ts";
import { GroupFile } from "./group-file.ts";
import { HtpasswdStore } from "./htpasswd-store.ts";
import type { Dictionary } from "./sql-options.ts";
import { createSqlStore } from "./sql-store.ts";
import type { UserStore } from "./user-store.ts";
import { Verifier } from "./verifier.ts";

/** Kinds of store; each reads the options `mod_ts.<kind>.*`. */
export type StoreKind = "htpasswd" | "sql";

/** More would come from nowhere but a configuration that changes with every request. */
const limit = 200;

/** Opens stores by their options. */
export class Stores {
  readonly #folder: string;
  /** By the options object first, which requests of one location share, then by what it says. */
  readonly #byOptions = new WeakMap<Dictionary, Map<StoreKind, Verifier>>();
  readonly #verifiers = new Map<string, Verifier>();
  readonly #groups = new Map<string, GroupFile>();

  /** @param folder absolute; relative file names in options start here */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The store of this kind that the options name. @throws ModTsError `MODTS_BAD_OPTION` */
  verifier(kind: StoreKind, options: Dictionary): Verifier {
    const known = this.#byOptions.get(options)?.get(kind);
    if (known) return known;
    const relevant = Object.entries(options).filter(([name]) => name.startsWith(`mod_ts.${kind}.`));
    const key = JSON.stringify([kind, relevant.toSorted()]);
    let verifier = this.#verifiers.get(key);
    if (!verifier) {
      verifier = this.#open(kind, options);
      this.#trim();
      this.#verifiers.set(key, verifier);
    }
    const kinds = this.#byOptions.get(options) ?? new Map<StoreKind, Verifier>();
    this.#byOptions.set(options, kinds.set(kind, verifier));
    return verifier;
  }

  /** A group file. */
  groups(name: string): GroupFile {
    const path = resolve(this.#folder, name);
    let file = this.#groups.get(path);
    if (!file) this.#groups.set(path, (file = new GroupFile(path)));
    return file;
  }

  /** Ends all connections to databases. */
  async close(): Promise<void> {
    const open = [...this.#verifiers.values()];
    this.#verifiers.clear();
    await Promise.all(open.map(({ store }) => store.close()));
  }

  #open(kind: StoreKind, values: Dictionary): Verifier {
    const options = new SectionOptions(values, kind);
    const store = kind === "sql" ? createSqlStore(values, this.#folder) : this.#htpasswd(options);
    return new Verifier(store, options.number("cache", 60, [0, 86_400]));
  }

  #htpasswd(options: SectionOptions): UserStore {
    options.allowOnly("file", "cache", "groups", "require_group");
    const names = options.words("file");
    if (names.length === 0) options.fail("file", "it is missing; it names a file of htpasswd");
    return new HtpasswdStore(names.map((name) => resolve(this.#folder, name)));
  }

  #trim(): void {
    if (this.#verifiers.size < limit) return;
    for (const [key, { store }] of this.#verifiers) {
      this.#verifiers.delete(key);
      return void store.close();
    }
  }
}
