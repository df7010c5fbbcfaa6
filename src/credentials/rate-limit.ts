/**
 * How often something may be tried: a bucket of tokens for each key, refilled with time.
 *
 * In the memory of one process: with several workers an attacker has that many times the attempts.
 * @module
 */
import { isIPv6 } from "node:net";

/** How many keys are remembered. Attack: a guesser with ever new names fills the memory; the key that rested longest goes. */
const keyLimit = 10_000;

interface Bucket {
  tokens: number;
  /** Milliseconds since 1970 when `tokens` was true. */
  at: number;
}

export class RateLimit {
  readonly #burst: number;
  readonly #refill: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /**
   * @param burst how many attempts there are at the start
   * @param refill seconds until one more is added
   * @param now milliseconds since 1970
   */
  constructor(burst: number, refill: number, now: () => number = Date.now) {
    this.#burst = burst;
    this.#refill = refill * 1000;
    this.#now = now;
  }

  /** Takes a token. Gives 0, or the seconds until there is one. */
  take(key: string): number {
    const bucket = this.#bucket(key);
    if (bucket.tokens < 1) return Math.ceil(Math.round((1 - bucket.tokens) * this.#refill) / 1000);
    bucket.tokens -= 1;
    return 0;
  }

  /** Gives a token back: the attempt turned out to be a good one. */
  giveBack(key: string): void {
    const bucket = this.#bucket(key);
    bucket.tokens = Math.min(this.#burst, bucket.tokens + 1);
  }

  #bucket(key: string): Bucket {
    const now = this.#now();
    const known = this.#buckets.get(key);
    const earned = known ? Math.max(0, now - known.at) / this.#refill : 0;
    const tokens = known ? Math.min(this.#burst, known.tokens + earned) : this.#burst;
    const bucket = { tokens, at: now };
    // Put in anew: a Map keeps the order, and so the first one is the one that rested longest.
    this.#buckets.delete(key);
    if (this.#buckets.size >= keyLimit) {
      this.#buckets.delete(this.#buckets.keys().next().value as string);
    }
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

/** What stands for one client: an IPv4 address, or the network of 64 bits that an IPv6 client may choose its address from. */
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
