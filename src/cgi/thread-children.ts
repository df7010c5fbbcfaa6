/**
 * Child processes of a script in a thread, told to the worker: a thread that is ended takes none of them along.
 * @module
 */
import type { ChildProcess } from "node:child_process";

/** What all functions that do not wait for their child come down to; not in the types of Node. */
interface Spawning {
  spawn(this: ChildProcess, options: { detached?: boolean }): unknown;
}

/**
 * Makes each child the leader of a process group, and calls `tell` with the id of that when it begins and when it is over. Children that are
 * `detached` are to be on their own, so nothing is told of them.
 */
export function reportChildren(tell: (group: number) => void): void {
  const { ChildProcess } = process.getBuiltinModule("node:child_process");
  const methods = ChildProcess.prototype as unknown as Spawning;
  const { spawn } = methods;
  methods.spawn = function (options) {
    const isFree = options.detached === true;
    const result = spawn.call(this, { ...options, detached: true });
    if (this.pid === undefined || isFree) return result;
    const group = this.pid;
    tell(group);
    this.once("close", () => tell(group));
    return result;
  };
}
