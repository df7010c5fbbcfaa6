import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { logChannel } from "../../src/base/channels.ts";
import type { LogRecord } from "../../src/base/log.ts";
import {
  claimRunDirectory,
  findRunDirectory,
  findSupervisor,
} from "../../src/supervisor/run-directory.ts";

import { until } from "../fixtures/until.ts";

const base = mkdtempSync(join(tmpdir(), "mod-ts-"));
t.teardown(() => rmSync(base, { recursive: true }));

/** A live process that is not this one, and its pid file as it would have written it. */
const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
t.teardown(() => other.kill("SIGKILL"));
const stat = readFileSync(`/proc/${other.pid}/stat`, "utf8");
const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];

t.test("a folder is made, claimed, released", async (t) => {
  const folder = join(base, "a", "b");
  const mask = process.umask(0o077);
  const claimed = claimRunDirectory(folder);
  process.umask(mask);
  t.equal(statSync(folder).mode & 0o777, 0o755, "httpd can get through, whatever the umask");
  t.equal(statSync(join(base, "a")).mode & 0o777, 0o755);
  t.match(readFileSync(claimed.pidFile, "utf8"), new RegExp(`^${process.pid}\n\\d+\n$`));
  claimed.release();
  t.notOk(existsSync(claimed.pidFile));
});

t.test("removed files are made again, or logged once, until they are back", async (t) => {
  const lines: LogRecord[] = [];
  logChannel.subscribe((record) => lines.push(record as LogRecord));
  const messages = (): string => lines.map(({ message }) => message).join("\n");
  const folder = join(base, "wiped");
  const claimed = claimRunDirectory(folder);
  const own = readFileSync(claimed.pidFile, "utf8");
  const path = join(folder, "main.sock");
  const marker = join(folder, "authorizer.listening");
  const mark = (): void => writeFileSync(marker, "");
  writeFileSync(path, "");
  let sockets = [
    { address: { path }, transport: "gateway", mark },
    { address: { host: "127.0.0.1", port: 1 }, transport: "authorizer", marker, mark },
  ];
  claimed.watch(() => sockets, 5);
  const turns = async (): Promise<void> => void (await sleep(50));
  await turns();
  t.notOk(existsSync(marker), "what was never there is not made");
  t.same(lines, []);
  mark();
  await turns();
  rmSync(marker);
  await until(
    messages,
    /listening was removed while the sidecar was running, and has been created again$/,
  );
  rmSync(claimed.pidFile);
  await until(
    messages,
    /pid was removed while the sidecar was running, and has been created again$/,
  );
  t.equal(readFileSync(claimed.pidFile, "utf8"), own);
  t.ok(existsSync(marker));
  await turns();
  t.equal(lines.splice(0).length, 2);
  rmSync(path);
  await until(messages, /removed/);
  t.match(lines[0], {
    code: "MODTS_FILES_REMOVED",
    message: `${path} was removed while the sidecar was running: new connections of Apache for content fail`,
  });
  rmSync(folder, { recursive: true });
  await turns();
  t.equal(lines.length, 1, "once");
  claimRunDirectory(folder);
  mark();
  writeFileSync(path, "");
  await turns();
  rmSync(folder, { recursive: true });
  await until(messages, /removed.*\n.*removed/);
  t.match(lines[1]?.message, `${folder} was removed`);
  sockets = [];
  claimRunDirectory(folder).release();
  await turns();
  t.equal(lines.length, 2, "a supervisor that stops removes them itself");
});

t.test("one at a time", async (t) => {
  const folder = join(base, "busy");
  claimRunDirectory(folder).release();
  writeFileSync(join(folder, "mod-ts.pid"), `${other.pid}\n${started}\n`);
  t.equal(findSupervisor(folder), other.pid);
  t.throws(() => claimRunDirectory(folder), {
    code: "MODTS_ALREADY_RUNNING",
    message: new RegExp(String(other.pid)),
  });
});

t.test("commands talk to mod-ts dev of their directory if no other sidecar runs", async (t) => {
  const config = { directory: join(base, "site"), run: join(base, "shared") };
  const own = join(config.directory, ".mod-ts", "run");
  t.equal(findRunDirectory(config), config.run, "nothing runs");
  for (const run of [own, config.run]) {
    claimRunDirectory(run).release();
    writeFileSync(join(run, "mod-ts.pid"), `${other.pid}\n${started}\n`);
    t.equal(findRunDirectory(config), run, "the configured one comes first");
  }
});

t.test("what a dead supervisor left is taken over", async (t) => {
  const folder = join(base, "stale");
  claimRunDirectory(folder).release();
  const stale = {
    "a number that is free": "99999999\n1\n",
    "a number that another process has now": `${other.pid}\n${Number(started) - 1}\n`,
    "our own number, as in a container": `${process.pid}\n1\n`,
    nonsense: "hello",
    nothing: "",
    "a process group": "-1\n",
  };
  for (const [name, text] of Object.entries(stale)) {
    writeFileSync(join(folder, "mod-ts.pid"), text);
    t.equal(findSupervisor(folder), undefined, name);
    t.doesNotThrow(() => claimRunDirectory(folder), name);
  }
});

t.test("no supervisor, no folder", async (t) => {
  t.equal(findSupervisor(join(base, "none")), undefined);
});

t.test("folders that cannot be used", async (t) => {
  const open = join(base, "open");
  claimRunDirectory(open).release();
  chmodSync(open, 0o777);
  t.throws(() => claimRunDirectory(open), {
    code: "MODTS_RUN_DIRECTORY",
    message: /everyone may write/,
  });
  chmodSync(open, 0o1777);
  t.doesNotThrow(() => claimRunDirectory(open).release(), "sticky: only the owner renames");
  writeFileSync(join(base, "file"), "");
  t.throws(() => claimRunDirectory(join(base, "file")), { code: "MODTS_RUN_DIRECTORY" });
});
