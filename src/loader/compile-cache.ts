/**
 * Disk cache of compiled files, for languages that are slow to translate: new workers reuse the
 * results of old ones. Entries are named by the digest of everything their content depends on, so
 * none is ever outdated, and two workers write the same.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ModTsError, report } from "../base/errors.ts";
import { openPrivateDirectory } from "../base/private-directory.ts";
import type { CompiledCode } from "./compile.ts";

export interface CompileCache {
  /** Undefined when unknown. Never throws. */
  get(file: string, source: string): CompiledCode | undefined;
  /** Never throws: a full disk only slows the next start down. */
  set(file: string, source: string, compiled: CompiledCode): void;
}

export interface CacheLimits {
  /** Entries; above, the oldest quarter is removed. @default 1000 */
  entries?: number;
  /** Characters of an entry; longer ones are not kept. @default 4 MiB */
  size?: number;
}

/**
 * Creates a cache; its directory is created and checked at the first compilation. Attack: a
 * directory that others can write; it is not used, and the log says why.
 * @param fingerprint returns what results depend on besides file and text: versions
 */
export function createCompileCache(
  directory: string,
  fingerprint: () => string,
  limits: CacheLimits = {},
): CompileCache {
  let opened: { readonly cache: DiskCache | undefined } | undefined;
  const open = (): DiskCache | undefined =>
    (opened ??= { cache: openCache(directory, fingerprint, limits) }).cache;
  return {
    get: (file, source) => open()?.get(file, source),
    set: (file, source, compiled) => open()?.set(file, source, compiled),
  };
}

function openCache(
  directory: string,
  fingerprint: () => string,
  limits: CacheLimits,
): DiskCache | undefined {
  // Without a supervisor (`mod-ts run`), there may be no run directory, and we must not create it.
  if (!existsSync(dirname(directory))) return undefined;
  try {
    openPrivateDirectory(directory);
    return new DiskCache(directory, fingerprint(), limits);
  } catch (error) {
    const reason = (error as Error).message;
    report(new ModTsError("MODTS_PAGE_CACHE", { directory, reason }));
    return undefined;
  }
}

class DiskCache implements CompileCache {
  readonly #directory: string;
  readonly #fingerprint: string;
  readonly #limits: Required<CacheLimits>;
  #count: number;

  constructor(directory: string, fingerprint: string, limits: CacheLimits) {
    this.#directory = directory;
    this.#fingerprint = fingerprint;
    this.#limits = { entries: 1000, size: 4 * 1024 * 1024, ...limits };
    this.#count = readdirSync(directory).length;
  }

  get(file: string, source: string): CompiledCode | undefined {
    try {
      const text = readFileSync(this.#path(file, source), "utf8");
      const end = text.indexOf("\n");
      const body = text.slice(end + 1);
      // The digest in the first line reveals interrupted writes and disk errors.
      return text.slice(0, end) === digest(body) ? (JSON.parse(body) as CompiledCode) : undefined;
    } catch {
      return undefined;
    }
  }

  set(file: string, source: string, compiled: CompiledCode): void {
    const body = JSON.stringify(compiled);
    if (body.length > this.#limits.size) return;
    const path = this.#path(file, source);
    // Renamed: other workers see whole entries or none.
    const draft = `${path}.${process.pid}`;
    try {
      this.#makeRoom();
      writeFileSync(draft, `${digest(body)}\n${body}`, { mode: 0o600 });
      renameSync(draft, path);
      this.#count += 1;
    } catch {
      rmSync(draft, { force: true });
    }
  }

  #path(file: string, source: string): string {
    return join(this.#directory, digest(JSON.stringify([this.#fingerprint, file, source])));
  }

  #makeRoom(): void {
    if (this.#count < this.#limits.entries) return;
    const paths = readdirSync(this.#directory).map((name) => join(this.#directory, name));
    const byAge = paths
      .map((path) => ({ path, time: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
      .toSorted((a, b) => a.time - b.time);
    const kept = Math.floor(this.#limits.entries * 0.75);
    for (const { path } of byAge.slice(0, Math.max(0, byAge.length - kept))) {
      rmSync(path, { force: true });
    }
    this.#count = Math.min(byAge.length, kept);
  }
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
