/** Stores of users in the Apache configuration, each opened once in a process. */
import { join, resolve } from "node:path";
import { getOrCreate } from "../../../base/cache.ts";
import { type Dictionary, SectionOptions } from "../../../base/options.ts";
import { EndedInFiles, EndedInRedis, type EndedSessions } from "./ended-sessions.ts";
import { GroupFile } from "./files.ts";
import { HtpasswdStore } from "./htpasswd-store.ts";
import { createSqlStore } from "./sql-store.ts";
import { type AttemptLimits, LocalLimits, SharedLimits } from "./attempt-limits.ts";
import { SharedAttempts } from "./shared-attempts.ts";
import { PasswordGuard } from "./password-guard.ts";
import { type UserStore, Verifier } from "./verifier.ts";

/** Kinds of stores; each reads the options `mod_ts.<kind>.*`. */
export type StoreKind = "htpasswd" | "sql";

/** Stores at the same time. Only a configuration that changes with every request has more. */
const limit = 200;

export class Stores {
  readonly #folder: string;
  /** By the options object, which the requests of a location share, then by its content. */
  readonly #byOptions = new WeakMap<Dictionary, Map<StoreKind, PasswordGuard>>();
  readonly #guards = new Map<string, PasswordGuard>();
  readonly #groups = new Map<string, GroupFile>();
  /** By URL. */
  readonly #shared = new Map<string, SharedAttempts>();
  /** By URL. */
  readonly #ended = new Map<string, EndedInRedis>();

  /** @param folder absolute base of relative file names */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The store of this kind in the options. Throws `MODTS_BAD_OPTION`. */
  guard(kind: StoreKind, options: Dictionary): PasswordGuard {
    const known = this.#byOptions.get(options)?.get(kind);
    if (known) return known;
    const relevant = Object.entries(options).filter(([name]) => name.startsWith(`mod_ts.${kind}.`));
    const key = JSON.stringify([kind, relevant.toSorted()]);
    const guard = getOrCreate(this.#guards, key, () => {
      this.#trim();
      return this.#open(kind, options);
    });
    const kinds = this.#byOptions.get(options) ?? new Map<StoreKind, PasswordGuard>();
    this.#byOptions.set(options, kinds.set(kind, guard));
    return guard;
  }

  groups(name: string): GroupFile {
    const path = resolve(this.#folder, name);
    return getOrCreate(this.#groups, path, () => new GroupFile(path));
  }

  /**
   * The limits in the options `attempts` and `limits`; undefined if there are none. Throws `MODTS_BAD_OPTION`.
   * @param scope what is attempted
   */
  limits(options: SectionOptions, scope: string, least = 0): AttemptLimits | undefined {
    const attempts = options.number("attempts", 10, [least, 1000]);
    const source = readRedis(options, "limits", this.#folder);
    if (attempts === 0) return undefined;
    if (source === undefined) return new LocalLimits(attempts);
    const shared = getOrCreate(this.#shared, source, () => new SharedAttempts(source));
    return new SharedLimits(attempts, scope, shared);
  }

  /**
   * Where logouts are noted: the option `ended`, or files. Throws `MODTS_BAD_OPTION`.
   * @param state directory, absolute
   */
  ended(options: SectionOptions, state: string): EndedSessions {
    const source = readRedis(options, "ended", this.#folder);
    if (source === undefined) return new EndedInFiles(join(state, "ended-sessions"));
    return getOrCreate(this.#ended, source, () => new EndedInRedis(source));
  }

  async close(): Promise<void> {
    const open = [...this.#guards.values()].map(({ verifier }) => verifier.store);
    const all = [...open, ...this.#shared.values(), ...this.#ended.values()];
    for (const each of [this.#guards, this.#shared, this.#ended]) each.clear();
    await Promise.all(all.map((each) => each.close()));
  }

  #open(kind: StoreKind, values: Dictionary): PasswordGuard {
    const options = new SectionOptions(values, kind);
    const store = kind === "sql" ? createSqlStore(values, this.#folder) : this.#htpasswd(options);
    const verifier = new Verifier(store, options.number("cache", 60, [0, 86_400]));
    return new PasswordGuard(verifier, this.limits(options, `${kind} ${store.name}`));
  }

  #htpasswd(options: SectionOptions): UserStore {
    options.allowOnly(..."file cache attempts limits limits_file groups require_group".split(" "));
    const names = options.words("file");
    if (names.length === 0) options.fail("file", "missing; name an htpasswd file");
    return new HtpasswdStore(names.map((name) => resolve(this.#folder, name)));
  }

  #trim(): void {
    if (this.#guards.size < limit) return;
    for (const [key, { verifier }] of this.#guards) {
      this.#guards.delete(key);
      return void verifier.store.close();
    }
  }
}

function readRedis(
  options: SectionOptions,
  key: "limits" | "ended",
  folder: string,
): string | undefined {
  const source = options.textOrFile(key, folder);
  if (source === undefined || /^rediss?:\/\//.test(source)) return source;
  const name = options.text(`${key}_file`) === undefined ? key : `${key}_file`;
  return options.fail(name, "must begin with redis:// or rediss://");
}
