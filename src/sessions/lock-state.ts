/**
 * The lock of a session as text, which a store keeps with the record and replaces by compare-and-set.
 *
 * A holder has a lease: one that renews it no more has died, or hangs, and the next one takes over. Where its process is seen to have ended, at
 * once. A process that has to wait leaves a ticket, so that another one, which serves request after request, lets it in.
 * @module
 */
import { hasEnded } from "../process-identity.ts";

/** Milliseconds for which a lock is held without being renewed. Clocks of different machines must agree better than that. */
export const leaseTime = 8000;

/** Milliseconds for which a ticket counts; whoever waits comes back sooner. */
const ticketTime = 200;

/** One request that has the lock. Times are milliseconds since 1970. */
export interface Holder {
  readonly id: string;
  /** `ownIdentity()`. */
  readonly process: string;
  readonly since: number;
  readonly until: number;
}

interface LockState {
  readonly shared: boolean;
  readonly holders: readonly Holder[];
  /** The process whose turn is next. */
  readonly next?: { readonly process: string; readonly until: number } | undefined;
}

/** The text of a lock that `holder` alone has. */
export function lockOf(holder: Holder, shared: boolean): string {
  return format({ shared, holders: [holder] });
}

/** What comes of the wish to have a lock. */
export interface Attempt {
  readonly granted: boolean;
  /** The new text; undefined: nothing to write. */
  readonly text: string | undefined;
  /** Since when the lock is held, milliseconds since 1970. */
  readonly since: number;
}

/** Lets `holder` in, or says that it has to wait. */
export function join(text: string, holder: Holder, shared: boolean): Attempt {
  const now = holder.since;
  const state = parse(text);
  const holders = state.holders.filter(({ until, process }) => until > now && !hasEnded(process));
  const next = state.next && state.next.until > now ? state.next : undefined;
  const isOthersTurn = next !== undefined && next.process !== holder.process;
  const fits = holders.length === 0 || (shared && state.shared);
  if (fits && !(isOthersTurn && !hasEnded(next.process))) {
    return { granted: true, text: format({ shared, holders: [...holders, holder] }), since: now };
  }
  const since = Math.min(now, ...holders.map((other) => other.since));
  const isFresh = next !== undefined && (isOthersTurn || next.until - now > ticketTime / 2);
  if (isFresh) return { granted: false, text: undefined, since };
  const ticket = { process: holder.process, until: now + ticketTime };
  return { granted: false, text: format({ ...state, holders, next: ticket }), since };
}

/** The text without a holder; undefined: it is not there, so somebody has taken its lock over. */
export function leave(text: string, id: string, now: number): string | undefined {
  const state = parse(text);
  const holders = state.holders.filter((holder) => holder.id !== id);
  if (holders.length === state.holders.length) return undefined;
  const next = state.next && state.next.until > now ? state.next : undefined;
  return holders.length === 0 && !next ? "" : format({ ...state, holders, next });
}

/** The text with a later end of a holder's lease; undefined: it is not there. */
export function renew(text: string, id: string, until: number): string | undefined {
  const state = parse(text);
  if (!state.holders.some((holder) => holder.id === id)) return undefined;
  const holders = state.holders.map((holder) => (holder.id === id ? { ...holder, until } : holder));
  return format({ ...state, holders });
}

function format(state: LockState): string {
  return JSON.stringify(state);
}

/** Text that is none of ours locks nobody out. */
function parse(text: string): LockState {
  const free: LockState = { shared: false, holders: [] };
  if (text === "") return free;
  try {
    const state = JSON.parse(text) as LockState;
    return Array.isArray(state?.holders) ? state : free;
  } catch {
    return free;
  }
}
