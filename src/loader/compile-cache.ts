/**
 * Compiled files on disk, for languages whose translation costs more than a look at the disk: a new worker process finds what the one
 * before it made. Plain TypeScript is compiled faster than it is read.
 *
 * The name of an entry is the digest of all that its content depends on, so none is ever out of date, and two workers write the same.
 * @module
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ModTsError } from "../errors.ts";
import { log } from "../log.ts";
import type { CompiledCode } from "./compile.ts";

/** Remembers what files compile to. */
export interface CompileCache {
  /** Undefined when it is not known. Never throws. */
  get(file: string, source: string): CompiledCode | undefined;
  /** Never throws: a full disk makes the next start slower, not this one fail. */
  set(file: string, source: string, compiled: CompiledCode): void;
}

/** Bounds of a cache. */
export interface CacheLimits {
  /** Entries; beyond them the oldest quarter goes. @default 1000 */
  entries?: number;
  /** Characters of an entry; a longer one is not kept. @default 4 MiB */
  size?: number;
}

/**
 * Makes a cache in a folder, which is made and looked at when the first file is compiled: a folder that is not ours alone is not used,
 * and the log says why.
 * @param fingerprint gives what the outcome depends on besides file and text: versions
 */
export function createCompileCache(
  folder: string,
  fingerprint: () => string,
  limits: CacheLimits = {},
): CompileCache {
  let opened: { readonly cache: DiskCache | undefined } | undefined;
  const open = (): DiskCache | undefined =>
    (opened ??= { cache: openCache(folder, fingerprint, limits) }).cache;
  return {
    get: (file, source) => open()?.get(file, source),
    set: (file, source, compiled) => open()?.set(file, source, compiled),
  };
}

function openCache(
  folder: string,
  fingerprint: () => string,
  limits: CacheLimits,
): DiskCache | undefined {
  // Without a supervisor (`mod-ts run`) there may be no runtime folder, and it is not ours to make.
  if (!existsSync(dirname(folder))) return undefined;
  try {
    // Recursive, as another worker may make it at this moment.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    requireOurs(folder);
    return new DiskCache(folder, fingerprint(), limits);
  } catch (error) {
    const reason = (error as Error).message;
    const { code, level, message } = new ModTsError("MODTS_PAGE_CACHE", { folder, reason });
    log(level, message, { code });
    return undefined;
  }
}

/**
 * Attack: whoever can write an entry runs code in the worker. So the folder must be ours and nobody else's to write, and must not be
 * one that somebody else can put in its place.
 */
function requireOurs(folder: string): void {
  const stats = lstatSync(folder);
  if (!stats.isDirectory()) throw new Error("it is no folder");
  if (stats.uid !== process.geteuid?.()) throw new Error("it belongs to another user");
  if ((stats.mode & 0o022) !== 0) throw new Error("others may write to it; remove it");
  if (isOpen(statSync(dirname(folder)))) throw new Error("others may replace it");
  if ((stats.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

/** Whether others may rename what is in a folder: writable for them, and without the sticky bit. */
function isOpen({ mode }: Stats): boolean {
  return (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
}

class DiskCache implements CompileCache {
  readonly #folder: string;
  readonly #fingerprint: string;
  readonly #limits: Required<CacheLimits>;
  #count: number;

  constructor(folder: string, fingerprint: string, limits: CacheLimits) {
    this.#folder = folder;
    this.#fingerprint = fingerprint;
    this.#limits = { entries: 1000, size: 4 * 1024 * 1024, ...limits };
    this.#count = readdirSync(folder).length;
  }

  get(file: string, source: string): CompiledCode | undefined {
    try {
      const text = readFileSync(this.#path(file, source), "utf8");
      const end = text.indexOf("\n");
      const body = text.slice(end + 1);
      // A write that was cut off, or a disk that forgot: the digest in the first line tells.
      return text.slice(0, end) === digest(body) ? (JSON.parse(body) as CompiledCode) : undefined;
    } catch {
      return undefined;
    }
  }

  set(file: string, source: string, compiled: CompiledCode): void {
    const body = JSON.stringify(compiled);
    if (body.length > this.#limits.size) return;
    const path = this.#path(file, source);
    // By renaming: another worker that looks at this moment sees the whole entry or none.
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
    return join(this.#folder, digest(JSON.stringify([this.#fingerprint, file, source])));
  }

  #makeRoom(): void {
    if (this.#count < this.#limits.entries) return;
    const paths = readdirSync(this.#folder).map((name) => join(this.#folder, name));
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
