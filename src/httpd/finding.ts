/**
 * What `mod-ts check` finds.
 * @module
 */

/** One finding. */
export interface Finding {
  /** `bad`: it does not work, or is not safe. `note`: it works, and something is lost. */
  level: "ok" | "note" | "bad";
  /** What was found. */
  what: string;
  /** File, module or URL. */
  where?: string;
  /** What to do. */
  todo?: string;
}
