/** The log of a running sidecar: it hurts nobody, and it says who and what. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { attempt } from "../../src/base/attempt.ts";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const isRoot = process.geteuid?.() === 0;

const handlers = handlerFiles("log");
const conf = `<LocationMatch "^/noisy"> 
    Use TsHandler noisy.ts
</LocationMatch>
<LocationMatch "^/hello$">
    Use TsHandler hello.ts
</LocationMatch>
<LocationMatch "^/reads">
    Use TsHandler reads.ts
</LocationMatch>
<LocationMatch "^/fails">
    Use TsHandler fails.ts
</LocationMatch>`;

t.test(
  "a full disk under standard error ends no worker and fails no request",
  { skip: isRoot ? false : "only root mounts a file system" },
  async (t) => {
    const disk = mkdtempSync(join(tmpdir(), "mod-ts-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
    const standardError = openSync(join(disk, "log"), "a");
    t.teardown(() => {
      closeSync(standardError);
      execFileSync("umount", ["--lazy", disk]);
      rmSync(disk, { recursive: true });
    });
    const apache = await startApache(t, { handlers, conf, standardError });
    const pids = new Set<string>();
    for (let round = 0; round < 6; round += 1) {
      const reply = await apache.request("/noisy");
      t.equal(reply.status, 200, "a full disk fails no request");
      pids.add(reply.body);
      t.equal((await apache.request("/hello")).body, "hello", "another handler responds, too");
    }
    t.equal(pids.size, 1, "the same worker serves all");
    writeFileSync(join(disk, "log"), "");
    t.equal((await apache.request("/noisy")).body, [...pids][0]);
    const lost = /\d+ log lines were lost: ENOSPC/;
    t.match(await until(() => readFileSync(join(disk, "log"), "utf8"), lost), lost, "it says so");
  },
);

t.test("a reader of the log that stops, and one that goes, stop no request", async (t) => {
  const apache = await startApache(t, { handlers, conf });
  const { body: pid } = await apache.request("/noisy");
  apache.sidecar.stderr!.pause();
  for (let round = 0; round < 40; round += 1) {
    t.equal((await apache.request("/noisy")).body, pid, "100 KB a request, and nobody reads");
  }
  apache.sidecar.stderr!.destroy();
  for (let round = 0; round < 5; round += 1) {
    t.equal((await apache.request("/noisy")).body, pid, "the same worker serves without a reader");
    t.equal((await apache.request("/hello")).status, 200, "another handler responds, too");
  }
});

t.test("a named pipe whose reader stands still stops no request", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "mod-ts-pipe-"));
  const pipe = join(directory, "log");
  execFileSync("mkfifo", [pipe]);
  // Reader and writer at once: nothing is read until the test does.
  const standardError = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  t.teardown(() => {
    closeSync(standardError);
    rmSync(directory, { recursive: true });
  });
  const apache = await startApache(t, { handlers, conf, standardError });
  const { body: pid } = await apache.request("/noisy");
  for (let round = 0; round < 40; round += 1) {
    t.equal((await apache.request("/noisy")).body, pid, "100 KB a request, and nobody reads");
    t.equal((await apache.request("/hello")).status, 200, "another handler responds, too");
  }
  let log = "";
  const read = (): string => {
    const part = Buffer.alloc(1 << 20);
    const length = attempt(() => readSync(standardError, part), 0);
    return (log = log.slice(-10_000) + part.toString("utf8", 0, length));
  };
  const readAgain = async (): Promise<string> => {
    await apache.request("/fails");
    return read();
  };
  const lost = /\d+ log lines were lost: the reader is slow/;
  t.match(await until(readAgain, lost), lost, "it says so");
});

t.test("a file under standard error that logrotate copies and truncates", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "mod-ts-rotate-"));
  const file = join(directory, "log");
  const standardError = openSync(file, "a");
  t.teardown(() => {
    closeSync(standardError);
    rmSync(directory, { recursive: true });
  });
  const apache = await startApache(t, { handlers, conf, standardError });
  await apache.request("/noisy");
  await until(() => readFileSync(file, "utf8"), "ready");
  copyFileSync(file, `${file}.1`);
  truncateSync(file);
  await apache.request("/fails");
  const text = await until(() => readFileSync(file, "utf8"), "MODTS_HANDLER_FAILED");
  t.notMatch(text, "\0", "lines are appended, there is no hole");
});

t.test(
  "lines of JSON have Apache's id of the request, and SIGUSR1 opens the file again",
  async (t) => {
    const apache = await startApache(t, {
      handlers,
      conf: `${conf}\nLogFormat "%{UNIQUE_ID}e" id\nCustomLog logs/ids id`,
      modules: ["mod_unique_id"],
      config: { log: { format: "json", file: "run/log" } },
    });
    const file = join(apache.folder, "run/log");
    const lines = (): Record<string, unknown>[] =>
      readFileSync(file, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    t.equal((await apache.request("/fails")).status, 500);
    await until(() => readFileSync(file, "utf8"), "MODTS_HANDLER_FAILED");
    const line = lines().find(({ code }) => code === "MODTS_HANDLER_FAILED");
    t.match(line, {
      level: "error",
      room: "engine",
      pool: "main",
      generation: 1,
      client: /^127\./,
    });
    const id = await until(() => readFileSync(join(apache.folder, "logs/ids"), "utf8"), /\S+/);
    t.equal(line?.["id"], id.trim());
    renameSync(file, `${file}.1`);
    apache.sidecar.kill("SIGUSR1");
    const reopened = async (): Promise<string> => {
      await apache.request("/fails");
      return existsSync(file) ? readFileSync(file, "utf8") : "";
    };
    await until(reopened, "MODTS_HANDLER_FAILED");
  },
);

t.test(
  "a browser that leaves in the middle of an upload is one line, with its address",
  async (t) => {
    const apache = await startApache(t, { handlers, conf, modules: ["mod_unique_id"] });
    const client = new RawClient(apache.port);
    client.head("POST /reads HTTP/1.1", "Content-Length: 1000000").send("x".repeat(300_000));
    await until(() => apache.sidecarLog(), "begins");
    client.leave();
    const log = await until(() => apache.sidecarLog(), "MODTS_BODY_ABORTED");
    t.match(
      log,
      /\[mod_ts:info\] \[pid \d+\] \[client 127\.0\.0\.1:\d+\] MODTS_BODY_ABORTED.*\[id \S+\]/,
    );
    t.notMatch(log, "MODTS_BAD_REQUEST");
  },
);

t.test("a handler that computes longer than log.slow is logged with its stack", async (t) => {
  const location = `<Location "/busy"> \n Use TsHandler busy.ts\n</Location>`;
  const apache = await startApache(t, {
    handlers,
    conf: location,
    // A busy machine must not replace the worker meanwhile.
    config: { log: { slow: 200 }, limits: { blockedTimeout: 0 } },
  });
  t.equal((await apache.request("/busy")).body, "done");
  const log = await until(() => apache.sidecarLog(), /MODTS_WORKER_BLOCKED[^]*busy\.ts:5/);
  t.match(log, /MODTS_HANDLER_SLOW: busy\.ts took \d+ ms in phase handler/);
});

t.test("a request for a source file names client and file, and is no error", async (t) => {
  const apache = await startApache(t, { handlers, conf, files: { "htdocs/a.ts": "secret" } });
  t.equal((await apache.request("/a.ts")).status, 403);
  const log = await until(() => apache.sidecarLog(), "MODTS_SOURCE_REQUESTED");
  t.match(
    log,
    /mod_ts:info.*MODTS_SOURCE_REQUESTED: request of 127\.0\.0\.1 rejected: \S*\/a\.ts /,
  );
  t.notMatch(log, "mod_ts:error");
});
