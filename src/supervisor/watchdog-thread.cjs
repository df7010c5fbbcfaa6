/**
 * Side thread of a worker: measures how long the event loop of the main thread has been blocked,
 * reads the JavaScript stack that it is blocked in, and ends the process when the supervisor has.
 *
 * It is JavaScript because Node's type stripping would double the memory of the thread. It writes
 * one JSON text a line to the descriptor that the supervisor gave this process.
 */
// @ts-check
"use strict";
const { openSync, readFileSync, readSync, writeSync } = require("node:fs");
const { workerData } = require("node:worker_threads");

/** @typedef {import("./watchdog.ts").WatchdogSettings} WatchdogSettings */
/** @typedef {import("./watchdog.ts").WatchdogReport} WatchdogReport */

/** @type {WatchdogSettings} */
const { descriptor, vitals, supervisor, intervalMs, noticeMs, leadMs, limitMs, buildMs } =
  workerData;

/** Positions in `vitals.ts`. */
const beats = 0;
const builds = 1;

/**
 * Time that the main thread has to show its stack; in native code it does not. Not on the clock:
 * like the blocked time it passes only while the main thread can run. On a busy machine this thread
 * needs some turns, too.
 */
const stackTimeoutMs = 400;
const stackTicks = 3;

/** Ticks between two reports of the memory. */
const reportEvery = Math.max(1, Math.round(1000 / intervalMs));

/** Milliseconds that the supervisor has to kill this process; then the process kills itself. */
const patienceMs = 5000;

/** @type {number | undefined} */
let schedstat;
const buffer = Buffer.alloc(256);

let lastBeat = -1;
let lastTick = performance.now();
let lastCounts = readCounts();
/** Milliseconds for which the main thread could have run its timers and did not. */
let blockedMs = 0;
let ticks = 0;
/** @type {{ since: number, ticks: number, giveUp: () => void } | undefined} */
let reading;
/** @type {"running" | "noticed" | "expiring" | "expired"} */
let state = "running";

let isOrphaned = false;

setInterval(tick, intervalMs);

function tick() {
  // The main thread has one interval to end its scripts and to exit by itself.
  if (isOrphaned) return die();
  isOrphaned = process.ppid !== supervisor;
  const blocked = measure();
  ticks += 1;
  if (ticks % reportEvery === 0)
    report({ type: "beat", rss: residentBytes(), vitals: [...vitals] });
  if (blocked === 0) return recover();
  if (reading && ++reading.ticks >= stackTicks && blocked - reading.since >= stackTimeoutMs) {
    reading.giveUp();
  }
  // Top-level code of user modules has its own limit, after which the loader stops it.
  const allowance = Atomics.load(vitals, builds) > 0 ? buildMs : 0;
  if (state === "running" && blocked >= noticeMs + allowance) {
    state = "noticed";
    notice(blocked);
  }
  if (limitMs === 0) return;
  if (state === "noticed" && blocked >= limitMs + allowance - leadMs) {
    state = "expiring";
    report({ type: "expiring" });
  }
  if (state === "expiring" && blocked >= limitMs + allowance) {
    state = "expired";
    reading?.giveUp();
    report({ type: "expired", ms: Math.round(blocked) });
    // Attack on availability: a supervisor that is stopped would leave requests hanging.
    setTimeout(die, patienceMs);
  }
}

let lastResident = 0;

/** The last known value while the process has no file descriptor to find it out. */
function residentBytes() {
  try {
    lastResident = process.memoryUsage.rss();
  } catch {}
  return lastResident;
}

/**
 * The blocked time so far; 0 when the event loop runs. Only time that the main thread had: on a busy
 * machine it waits for a processor, on a suspended one it does not run at all.
 */
function measure() {
  const now = performance.now();
  // A suspended process: the time between two ticks of this thread was nobody's.
  const elapsed = Math.min(now - lastTick, 2 * intervalMs);
  const counts = readCounts();
  const beat = Atomics.load(vitals, beats);
  if (beat === lastBeat) blockedMs += hadMs(elapsed, now - lastTick, counts);
  else blockedMs = 0;
  lastBeat = beat;
  lastTick = now;
  lastCounts = counts;
  return blockedMs;
}

/**
 * The part of a tick that the main thread had. The kernel counts a wait when it is over, so a thread
 * that is ready to run had what it ran.
 * @param {number} elapsed
 * @param {number} raw
 * @param {Counts | undefined} counts
 */
function hadMs(elapsed, raw, counts) {
  // Without the counts of the kernel: a late tick of this thread is a sign of a busy machine.
  if (!counts || !lastCounts) return raw > 1.5 * intervalMs ? 0 : elapsed;
  const main = readState();
  if (main === "R") return Math.min(elapsed, counts.ran - lastCounts.ran);
  // Waiting for a disk, as on a machine that swaps.
  if (main === "D") return 0;
  return Math.max(0, elapsed - (counts.waited - lastCounts.waited));
}

/** @typedef {{ ran: number, waited: number }} Counts */

/**
 * Milliseconds for which the main thread ran and waited for a processor; undefined where the kernel
 * does not count them. See proc(5). The file stays open, as it is read at each tick.
 * @returns {Counts | undefined}
 */
function readCounts() {
  try {
    schedstat ??= openSync(procFile("schedstat"), "r");
    const length = readSync(schedstat, buffer, 0, buffer.length, 0);
    const [ran = 0, waited = 0] = buffer
      .toString("latin1", 0, length)
      .split(" ")
      .map((text) => Number(text) / 1e6);
    return ran > 0 ? { ran, waited } : undefined;
  } catch {
    return undefined;
  }
}

/** State of the main thread, e.g. `R`; undefined if it cannot be read. */
function readState() {
  try {
    const stat = readFileSync(procFile("stat"), "latin1");
    // The name in parentheses may contain anything.
    return stat.charAt(stat.lastIndexOf(")") + 2);
  } catch {
    return undefined;
  }
}

function procFile(/** @type {string} */ name) {
  return `/proc/${process.pid}/task/${process.pid}/${name}`;
}

function recover() {
  reading?.giveUp();
  if (state !== "running") report({ type: "recovered" });
  state = "running";
}

/**
 * Reports the stack of the main thread, or undefined while it runs native code. The main thread
 * makes the text itself, as it has the source maps. Reports in the same turn as `giveUp` is called:
 * a `blocked` after `recovered` would keep connections from this worker for good.
 * @param {number} blocked
 */
function notice(blocked) {
  const { Session } = require("node:inspector");
  const session = new Session();
  const finish = (/** @type {string | undefined} */ stack) => {
    reading = undefined;
    report({ type: "blocked", ms: Math.round(blocked), stack });
    // Disconnecting resumes the main thread.
    session.disconnect();
  };
  session.connectToMainThread();
  session.once("Debugger.paused", ({ params }) => {
    const [frame] = params.callFrames;
    const own = params.callFrames.map(describeFrame).join("\n");
    // Paused, so it is not in native code: the text comes, or the frames without source maps.
    reading = { since: Infinity, ticks: 0, giveUp: () => finish(own) };
    if (!frame) return finish(undefined);
    const expression = "globalThis.Error.stackTraceLimit=50,new globalThis.Error('blocked').stack";
    const where = { callFrameId: frame.callFrameId, expression: wrap(expression), silent: true };
    session.post("Debugger.evaluateOnCallFrame", where, (error, answer) => {
      const { result } = /** @type {{ result?: { value?: unknown } }} */ (answer ?? {});
      const value = error ? undefined : result?.value;
      finish(typeof value === "string" ? tidy(value) : own);
    });
  });
  session.post("Debugger.enable");
  session.post("Debugger.pause");
  // A later pause resumes at once: the session is closed.
  reading = { since: blocked, ticks: 0, giveUp: () => finish(undefined) };
}

/** Leaves the limit of the application as it is. */
function wrap(/** @type {string} */ expression) {
  return `(()=>{const{stackTraceLimit:l}=globalThis.Error;try{return ${expression}}finally{globalThis.Error.stackTraceLimit=l}})()`;
}

function describeFrame(/** @type {import("node:inspector").Debugger.CallFrame} */ frame) {
  const { functionName, url, location } = frame;
  return `    at ${functionName || "<anonymous>"} (${url}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1})`;
}

/** Without the first line and the frames of the expression. */
function tidy(/** @type {string} */ stack) {
  const lines = stack.split("\n").filter((line) => line.startsWith("    at "));
  const first = lines.findIndex(
    (line) => !/^ {4}at (eval \(|<anonymous>(:|$)|\(?<anonymous>)/.test(line),
  );
  return lines.slice(Math.max(0, first)).join("\n");
}

function report(/** @type {WatchdogReport} */ message) {
  try {
    writeSync(descriptor, `${JSON.stringify(message)}\n`);
  } catch {
    // The supervisor has ended.
    isOrphaned = true;
  }
}

function die() {
  process.kill(process.pid, "SIGKILL");
}
