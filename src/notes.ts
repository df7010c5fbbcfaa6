/**
 * Notes on their way from one door to the other, through Apache's environment: as a query string.
 * @module
 */
import type { Dictionary } from "./request/exchange.ts";

const none: Dictionary = Object.freeze(Object.create(null));

/** Notes as text for a variable. */
export function formatNotes(notes: Iterable<readonly [string, string]>): string {
  return new URLSearchParams(
    Array.from(notes, ([name, value]) => [name, value] as [string, string]),
  ).toString();
}

/** The notes of such a text; of a name that comes twice the last value. */
export function parseNotes(text: string): Dictionary {
  if (text === "") return none;
  const notes: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) notes[name] = value;
  return notes;
}
