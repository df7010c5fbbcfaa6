/**
 * Notifications to systemd (sd_notify(3)), for units with `Type=notify`: ready, reloading, stopping,
 * watchdog.
 *
 * Node.js has no Unix datagram sockets, so systemd's own program `systemd-notify` sends them.
 */
import { execFile } from "node:child_process";
import { log } from "../base/log.ts";
import { startProcess } from "./start-process.ts";

let isMissing = false;
let isFailing = false;

/** Sends assignments such as `READY=1`; without systemd nothing happens. Never throws. */
export function notifySystemd(...assignments: string[]): Promise<void> {
  if (!process.env["NOTIFY_SOCKET"] || isMissing) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const child = startProcess(() => execFile("systemd-notify", assignments));
  const fail = (reason: string): void => {
    if (!isFailing) log("warn", `systemd is not notified: ${reason}`);
    isFailing = true;
    resolve();
  };
  child.once("error", (error: NodeJS.ErrnoException) => {
    // Without memory, processes or file descriptors the next one may succeed: systemd kills a
    // service whose watchdog is silent.
    isMissing = error.code === "ENOENT";
    fail(error.message);
  });
  child.once("exit", (code, signal) => {
    if (code !== 0) return fail(`systemd-notify ended with ${signal ?? code}`);
    isFailing = false;
    resolve();
  });
  return promise;
}

/**
 * Called for each worker that starts: one that gets more time than usual, as the machine is slow, needs
 * it from systemd, too (`TimeoutStartSec=`). Twice, until the next one starts.
 */
export function extendStart(usualMs: number): (workerMs: number) => void {
  return (workerMs) => {
    if (workerMs > usualMs) void notifySystemd(`EXTEND_TIMEOUT_USEC=${workerMs * 2000}`);
  };
}

/** systemd compares the time with that of its own signals. */
export function monotonicTime(): string {
  return `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`;
}

/**
 * Sends `WATCHDOG=1` twice in each period that the unit demands (`WatchdogSec=`). Returns the
 * function that stops it.
 */
export function startSystemdWatchdog(): () => void {
  const { WATCHDOG_USEC: period, WATCHDOG_PID: pid } = process.env;
  const periodMs = Number(period) / 1000;
  if (!(periodMs > 0) || (pid && Number(pid) !== process.pid)) return () => {};
  const timer = setInterval(() => void notifySystemd("WATCHDOG=1"), periodMs / 2).unref();
  return () => clearInterval(timer);
}
