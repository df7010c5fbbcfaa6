/**
 * Process groups of scripts: a script is ended with all that it has started.
 * @module
 */
import { killGrace } from "./script-run.ts";

/** Ids of those that run. */
const groups = new Set<number>();

/** Whoever ends this process takes its scripts along; after SIGKILL nobody can, and they end when they find their pipes broken. */
process.on("exit", () => {
  for (const group of groups) signalGroup(group, "SIGKILL");
});

/** From now on it ends with this process. */
export function watchGroup(group: number): void {
  groups.add(group);
}

/** It is over, or on its own. Gives whether it was known. */
export function forgetGroup(group: number): boolean {
  return groups.delete(group);
}

/** Asks all processes of a group to end, and a while later makes them; nothing where it is not known. */
export function endGroup(group: number): void {
  if (!groups.has(group)) return;
  signalGroup(group, "SIGTERM");
  setTimeout(() => {
    if (forgetGroup(group)) signalGroup(group, "SIGKILL");
  }, killGrace).unref();
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It has ended meanwhile.
  }
}
