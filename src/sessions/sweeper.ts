/**
 * Background clean-up of expired sessions, in small steps, by one process at a time. No request
 * depends on it: expired sessions are invalid in any case.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { log, textOf } from "../base/log.ts";
import { ownIdentity } from "../base/process-identity.ts";
import { join, leave, leaseMs, lockOf } from "./lock-state.ts";
import type { SessionRecord, SessionStore } from "./session-store.ts";

const sweepIntervalSeconds = 300;
const checkIntervalSeconds = 60;
/** The next clean-up continues where this one stopped. */
const sweepLimitMs = 1000;
/** Pause between two steps, for requests. */
const pauseMs = 10;

/** Not base64url: no session has this key. */
const key = "#sweep";
const id = "sweep";

export class Sweeper {
  readonly #store: SessionStore;
  readonly #title: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: SessionStore, title: string) {
    this.#store = store;
    this.#title = title;
  }

  start(): void {
    if (this.#store.expiresItself) return;
    const milliseconds = checkIntervalSeconds * 1000 * (0.5 + Math.random());
    this.#timer = setInterval(() => void this.#turn(), milliseconds).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Runs one clean-up, if due and no other process runs one; true if so. */
  async sweep(now: number = Date.now()): Promise<boolean> {
    const seconds = Math.floor(now / 1000);
    const process = ownIdentity();
    const holder = { id, process, since: now, until: now + sweepLimitMs + leaseMs };
    const lock = lockOf(holder, false);
    const found = await this.#store.take(key, lock);
    let text = found?.lock === lock ? lock : undefined;
    if (!found) {
      await this.#store.insert(key, record(seconds), lock);
      text = lock;
    } else if (text === undefined) {
      const attempt = join(found.lock, holder, false);
      if (!attempt.granted || attempt.text === undefined) return false;
      if (!(await this.#store.update(key, { lock: attempt.text }, found.lock))) return false;
      text = attempt.text;
    }
    const isDue = !found || seconds - found.record.accessed >= sweepIntervalSeconds;
    if (isDue) await this.#remove(seconds);
    const change = { lock: leave(text, id, now) ?? "", ...(isDue && { accessed: seconds }) };
    await this.#store.update(key, change, text);
    return isDue;
  }

  async #remove(seconds: number): Promise<void> {
    const end = Date.now() + sweepLimitMs;
    while ((await this.#store.sweep(seconds)) && Date.now() < end) await sleep(pauseMs);
  }

  async #turn(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      log("notice", `expired sessions of ${this.#title} were not removed: ${textOf(error)}`);
    }
  }
}

/** Never expires itself. */
function record(seconds: number): SessionRecord {
  const never = Number.MAX_SAFE_INTEGER;
  return { data: "{}", created: seconds, accessed: seconds, timeout: never, expires: never };
}
