/** Notifications, with a program in the place of `systemd-notify` that writes them to a file. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import {
  extendStart,
  monotonicTime,
  notifySystemd,
  startSystemdWatchdog,
} from "../../src/supervisor/notify.ts";
import { shortFolder } from "../fixtures/short-folder.ts";
import { until } from "../fixtures/until.ts";

const names = ["NOTIFY_SOCKET", "PATH", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;
const before = names.map((name) => [name, process.env[name]] as const);
t.afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

function notified(folder: string): string {
  const file = join(folder, "notified");
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

function makeProgram(folder: string): void {
  const program = join(folder, "systemd-notify");
  writeFileSync(program, `#!/bin/sh\necho "$@" >> ${join(folder, "notified")}\n`);
  chmodSync(program, 0o755);
  process.env["PATH"] = `${folder}:${process.env["PATH"]}`;
}

t.test("systemd is told what it asked for", async (t) => {
  const folder = shortFolder(t);
  makeProgram(folder);
  delete process.env["NOTIFY_SOCKET"];
  await notifySystemd("READY=1");
  t.equal(notified(folder), "", "without systemd nothing is sent");
  process.env["NOTIFY_SOCKET"] = "/run/systemd/notify";
  await notifySystemd("RELOADING=1", "MONOTONIC_USEC=5");
  t.equal(notified(folder), "RELOADING=1 MONOTONIC_USEC=5\n", "all assignments at once");
});

t.test("a notification that fails is not the last one", async (t) => {
  const folder = shortFolder(t);
  makeProgram(folder);
  process.env["NOTIFY_SOCKET"] = "/run/systemd/notify";
  const program = join(folder, "systemd-notify");
  const right = readFileSync(program);
  writeFileSync(program, "#!/bin/sh\nexit 3\n");
  await notifySystemd("WATCHDOG=1");
  chmodSync(program, 0o644);
  await notifySystemd("WATCHDOG=1");
  writeFileSync(program, right);
  chmodSync(program, 0o755);
  await notifySystemd("READY=1");
  t.equal(notified(folder), "READY=1\n");
});

t.test("systemd waits for workers that get more time", async (t) => {
  const folder = shortFolder(t);
  makeProgram(folder);
  process.env["NOTIFY_SOCKET"] = "/run/systemd/notify";
  const starts = extendStart(30_000);
  starts(30_000);
  starts(60_000);
  t.equal(await until(() => notified(folder), "\n"), "EXTEND_TIMEOUT_USEC=120000000\n");
});

t.test("the watchdog is fed until it is stopped, and only for this process", async (t) => {
  const folder = shortFolder(t);
  makeProgram(folder);
  process.env["NOTIFY_SOCKET"] = "/run/systemd/notify";
  process.env["WATCHDOG_USEC"] = "20000";
  process.env["WATCHDOG_PID"] = "1";
  startSystemdWatchdog()();
  process.env["WATCHDOG_PID"] = String(process.pid);
  const stop = startSystemdWatchdog();
  await until(() => notified(folder), "WATCHDOG=1\nWATCHDOG=1\n");
  stop();
  delete process.env["WATCHDOG_USEC"];
  t.doesNotThrow(startSystemdWatchdog(), "a unit without WatchdogSec= has nothing to stop");
});

t.test("time is that of systemd: microseconds since the machine started", async (t) => {
  const [seconds = 0] = readFileSync("/proc/uptime", "utf8").split(" ").map(Number);
  const microseconds = Number(/^MONOTONIC_USEC=(\d+)$/.exec(monotonicTime())?.[1]);
  t.ok(microseconds > 0 && microseconds <= (seconds + 60) * 1e6, `${microseconds} µs`);
});
