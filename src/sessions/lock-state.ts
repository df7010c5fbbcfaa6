/**
 * Session lock as text, stored with the record and replaced by compare-and-set.
 *
 * Holders have leases. A holder that does not renew its lease has died or hangs, and is replaced;
 * at once if its process is seen to have ended. A waiting process leaves a reservation, so that
 * another one that serves request after request lets it in.
 */
import { attempt } from "../base/attempt.ts";
import { hasEnded } from "../base/process-identity.ts";

/** Lease without renewal. Clocks of different machines must agree better than that. */
export const leaseMs = 8000;

/** Lifetime of a reservation; waiting processes retry sooner. */
const reservationMs = 200;

/** Request with the lock. Times are milliseconds since 1970. */
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
  /** Reservation of the next turn. */
  readonly next?: { readonly process: string; readonly until: number } | undefined;
}

export function lockOf(holder: Holder, shared: boolean): string {
  return format({ shared, holders: [holder] });
}

export interface Attempt {
  readonly granted: boolean;
  /** New text; undefined: nothing to write. */
  readonly text: string | undefined;
  /** Held since, milliseconds since 1970. */
  readonly since: number;
}

/** Lets `holder` in, or reserves its turn. */
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
  const isFresh = next !== undefined && (isOthersTurn || next.until - now > reservationMs / 2);
  if (isFresh) return { granted: false, text: undefined, since };
  const reservation = { process: holder.process, until: now + reservationMs };
  return { granted: false, text: format({ ...state, holders, next: reservation }), since };
}

/** Removes a holder; undefined: it was replaced. */
export function leave(text: string, id: string, now: number): string | undefined {
  const state = parse(text);
  const holders = state.holders.filter((holder) => holder.id !== id);
  if (holders.length === state.holders.length) return undefined;
  const next = state.next && state.next.until > now ? state.next : undefined;
  return holders.length === 0 && !next ? "" : format({ ...state, holders, next });
}

/** Extends the lease of a holder; undefined: it was replaced. */
export function renew(text: string, id: string, until: number): string | undefined {
  const state = parse(text);
  if (!state.holders.some((holder) => holder.id === id)) return undefined;
  const holders = state.holders.map((holder) => (holder.id === id ? { ...holder, until } : holder));
  return format({ ...state, holders });
}

function format(state: LockState): string {
  return JSON.stringify(state);
}

/** Invalid text counts as unlocked. */
function parse(text: string): LockState {
  const free: LockState = { shared: false, holders: [] };
  if (text === "") return free;
  const state = attempt(() => JSON.parse(text) as LockState, free);
  return Array.isArray(state?.holders) ? state : free;
}
