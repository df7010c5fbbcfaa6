/**
 * Removes expired sessions: in the background, a few at a time, by one process at a time. No request waits for it, and none needs it: an
 * expired session is none, whether its record is still there or not.
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { log, textOf } from "../log.ts";
import { ownIdentity } from "../process-identity.ts";
import { join, leave, leaseTime, lockOf } from "./lock-state.ts";
import type { SessionRecord, SessionStore } from "./session-store.ts";

/** Seconds between two clean-ups, by whichever process. */
const interval = 300;
/** Seconds between two looks at whether it is time. */
const look = 60;
/** Milliseconds of a clean-up; the next one goes on where it stopped. */
const longest = 1000;
/** Milliseconds between two steps, in which requests have their turn. */
const pause = 10;

/** No id has this key: it has a character that base64url has not. */
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
    const milliseconds = look * 1000 * (0.5 + Math.random());
    this.#timer = setInterval(() => void this.#turn(), milliseconds).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One clean-up, if it is due and nobody else is at it. True: it was done. Rejects with what the store says. */
  async sweep(now: number = Date.now()): Promise<boolean> {
    const seconds = Math.floor(now / 1000);
    const process = ownIdentity();
    const holder = { id, process, since: now, until: now + longest + leaseTime };
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
    const isDue = !found || seconds - found.record.accessed >= interval;
    if (isDue) await this.#remove(seconds);
    const change = { lock: leave(text, id, now) ?? "", ...(isDue && { accessed: seconds }) };
    await this.#store.update(key, change, text);
    return isDue;
  }

  async #remove(seconds: number): Promise<void> {
    const end = Date.now() + longest;
    while ((await this.#store.sweep(seconds)) && Date.now() < end) await sleep(pause);
  }

  async #turn(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      log("notice", `expired sessions of ${this.#title} were not removed: ${textOf(error)}`);
    }
  }
}

/** It never expires itself. */
function record(seconds: number): SessionRecord {
  const never = Number.MAX_SAFE_INTEGER;
  return { data: "{}", created: seconds, accessed: seconds, timeout: never, expires: never };
}
