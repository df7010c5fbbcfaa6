/** Sessions in the memory of one process. */
import { setBounded } from "../base/cache.ts";
import {
  abandonedAfter,
  type Found,
  type SessionChange,
  type SessionRecord,
  type SessionStore,
} from "./session-store.ts";

/** Attack: requests without cookies fill the memory. The least recently used are dropped. */
const maxRecords = 100_000;

export class MemoryStore implements SessionStore {
  readonly expiresItself = false;
  /** Most recently used last. */
  readonly #entries = new Map<string, Found>();

  take(key: string, lock: string): Found | undefined {
    const entry = this.#entries.get(key);
    if (!entry || entry.lock !== "") return entry;
    const taken = { ...entry, lock };
    this.#entries.set(key, taken);
    return taken;
  }

  load(key: string): Found | undefined {
    return this.#entries.get(key);
  }

  insert(key: string, record: SessionRecord, lock: string): void {
    setBounded(this.#entries, key, { record, lock }, maxRecords);
  }

  update(key: string, change: SessionChange, expected: string | undefined): boolean {
    const entry = this.#entries.get(key);
    if (!entry || (expected !== undefined && entry.lock !== expected)) return false;
    const { lock = entry.lock, ...rest } = change;
    const members = Object.entries(rest).filter(([, value]) => value !== undefined);
    this.#entries.delete(key);
    this.#entries.set(key, { record: { ...entry.record, ...Object.fromEntries(members) }, lock });
    return true;
  }

  rename(key: string, to: string): boolean {
    const entry = this.#entries.get(key);
    if (!entry) return false;
    this.#entries.delete(key);
    this.#entries.set(to, entry);
    return true;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  sweep(now: number): boolean {
    for (const [key, { record, lock }] of this.#entries) {
      const grace = lock === "" ? 0 : abandonedAfter;
      if (record.expires + grace <= now) this.#entries.delete(key);
    }
    return false;
  }

  close(): void {
    this.#entries.clear();
  }
}
