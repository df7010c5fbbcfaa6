/** Intervals that the top level of a module starts: a version that was replaced must not go on. */
import { AsyncLocalStorage, createHook } from "node:async_hooks";
import type { SourcePosition } from "./build-error.ts";
import { userPosition } from "./stack.ts";

/** An interval of a version. Held weakly: Node keeps it while it runs. */
export interface StartedInterval {
  readonly place: SourcePosition;
  readonly timer: WeakRef<object>;
}

/**
 * The list of the build whose top level runs: intervals of requests at the same time have none. All
 * that a top level opens keeps its list alive, so it holds nothing of the build.
 */
const lists = new AsyncLocalStorage<StartedInterval[]>();

let watches = 0;

const hook = createHook({
  init(_id, type, _trigger, timer) {
    const list = type === "Timeout" ? lists.getStore() : undefined;
    if (!list || !isRepeated(timer)) return;
    const place = userPosition(new Error("started"));
    if (place) list.push({ place, timer: new WeakRef(timer) });
  },
});

/** Runs top levels, and adds the intervals that they start. The hook costs nothing between. */
export async function watchIntervals(
  started: StartedInterval[],
  run: () => Promise<void>,
): Promise<void> {
  watches += 1;
  hook.enable();
  try {
    await lists.run(started, run);
  } finally {
    watches -= 1;
    if (watches === 0) hook.disable();
  }
}

/** Whether an interval has not been cleared. */
export function isRunning({ timer }: StartedInterval): boolean {
  const running = timer.deref();
  return running !== undefined && Reflect.get(running, "_destroyed") === false;
}

/** Node tells intervals from other timers by this member only. */
function isRepeated(timer: object): boolean {
  return typeof Reflect.get(timer, "_repeat") === "number";
}
