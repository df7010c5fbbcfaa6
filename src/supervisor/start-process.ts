/** Starts of child processes that end in an event, whatever goes wrong. */
import { ChildProcess } from "node:child_process";

/**
 * The result of `spawn` or `fork`. Most failures to start are an `error` event; without memory for a
 * process they throw, which would end the supervisor, and with it all workers. A process that has not
 * started may lack `send`.
 */
export function startProcess(start: () => ChildProcess): ChildProcess {
  try {
    return start();
  } catch (error) {
    const child = new ChildProcess();
    process.nextTick(() => child.emit("error", error));
    return child;
  }
}
