/**
 * Rate limits by key, in the memory of one process: N workers allow N times the attempts.
 *
 * Attack: a guesser evicts a name from a table of counters by trying many others. So counters have
 * fixed slots that keys share: a key may inherit the attempts of others, but never loses its own.
 */
import { createHmac, randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";

/** Slots of a row; 16 bits of a digest select one. */
const slots = 65_536;

/** A bucket of tokens for each key, refilled over time. */
export class RateLimit {
  readonly #refillMs: number;
  readonly #burstMs: number;
  readonly #now: () => number;
  /** Attack: names chosen to share the slots of another one. */
  readonly #secret = randomBytes(16);
  /** Time at which a bucket is full again. A key counts by the better of its two slots. */
  readonly #rows = [new Float64Array(slots), new Float64Array(slots)] as const;

  /**
   * @param burst attempts at the start
   * @param refill seconds until the next one
   * @param now milliseconds; monotonic by default
   */
  constructor(burst: number, refill: number, now: () => number = () => performance.now()) {
    this.#refillMs = refill * 1000;
    this.#burstMs = burst * this.#refillMs;
    this.#now = now;
  }

  /** Takes a token, or only looks for one. Returns 0, or the seconds until there is one. */
  take(key: string, onlyLooks = false): number {
    // Whole milliseconds: a rounding error would let an attempt through without counting it.
    const now = Math.floor(this.#now());
    const [first, second] = this.#slotsOf(key);
    const [left, right] = this.#rows;
    const fullAt =
      Math.max(now, Math.min(left[first] as number, right[second] as number)) + this.#refillMs;
    const waitMs = fullAt - this.#burstMs - now;
    if (waitMs > 0) return Math.ceil(waitMs / 1000);
    if (onlyLooks) return 0;
    left[first] = Math.max(left[first] as number, fullAt);
    right[second] = Math.max(right[second] as number, fullAt);
    return 0;
  }

  /** Returns a token that was taken for a successful attempt. */
  giveBack(key: string): void {
    const [first, second] = this.#slotsOf(key);
    const [left, right] = this.#rows;
    const fullAt = Math.min(left[first] as number, right[second] as number);
    if (left[first] === fullAt) left[first] -= this.#refillMs;
    if (right[second] === fullAt) right[second] -= this.#refillMs;
  }

  #slotsOf(key: string): readonly [number, number] {
    const digest = createHmac("sha256", this.#secret).update(key).digest();
    return [digest.readUInt16LE(0), digest.readUInt16LE(2)];
  }
}

/** Key of a client: an IPv4 address, or the /64 network in which IPv6 clients choose addresses. */
export function addressKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = (plain.split("%")[0] ?? "").split("::");
  const left = head.split(":").filter(Boolean);
  const right = (tail ?? "").split(":").filter(Boolean);
  const middle = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array<string>(Math.max(0, middle)).fill("0"), ...right]
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(":");
}
