import t, { type Test } from "tap";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { log } from "../../src/base/log.ts";
import { type LogSettings, openLog } from "../../src/base/log-output.ts";
import type { LogSink } from "../../src/base/log-sink.ts";

/** The lines that settings write, of what `act` logs. */
async function linesOf(
  t: Test,
  settings: Partial<LogSettings>,
  act: () => void,
): Promise<string[]> {
  let text = "";
  const sink: LogSink = {
    write: (line) => void (text += line),
    losses: { take: () => undefined },
    reopen() {},
    close() {},
  };
  const source = { room: "handlers", fields: { pool: "main" } } as const;
  const output = await openLog({ level: "info", ...settings }, source, () => sink);
  try {
    act();
  } finally {
    output.close();
  }
  t.equal(text.slice(-1), text && "\n");
  return text.split("\n").filter(Boolean);
}

t.test("JSON: one object a line, with the id of the request and without secrets", async (t) => {
  const [line = "", ...others] = await linesOf(t, { format: "json" }, () =>
    log("error", "a\nb\x9b\u202e Authorization: Basic YW5uOnNlY3JldA==", {
      code: "MODTS_HANDLER_FAILED",
      client: "192.0.2.7:1",
      uniqueId: "aXk",
      error: new Error("x password=hunter2"),
      fields: { ms: 3 },
    }),
  );
  t.same(others, []);
  const { time, stack, ...rest } = JSON.parse(line) as Record<string, string>;
  t.same(rest, {
    level: "error",
    pid: process.pid,
    pool: "main",
    room: "engine",
    code: "MODTS_HANDLER_FAILED",
    client: "192.0.2.7:1",
    id: "aXk",
    ms: 3,
    message: "a\nb\x9b\u202e Authorization: ***",
  });
  t.notMatch(line, /[\x00-\x1f\x7f-\x9f\u202e]/, "nothing controls a terminal");
  t.ok(Date.parse(time ?? "") > 0);
  t.match(stack, /^Error: x password=\*\*\*\n +at /);
});

t.test("text: the format of Apache's error log", async (t) => {
  const lines = await linesOf(t, {}, () => log("notice", "hello", { uniqueId: "aXk" }));
  t.match(lines, [/^\[.*\] \[mod_ts:notice\] \[pid \d+\] hello \[id aXk\]$/]);
});

t.test("a part of mod_ts has a level of its own", async (t) => {
  const levels = { gateway: "error", loader: "debug" } as const;
  const lines = await linesOf(t, { level: "warn", levels }, () => {
    log("warn", "1", { code: "MODTS_BAD_REQUEST" });
    log("error", "2", { code: "MODTS_BAD_REQUEST" });
    log("debug", "3", { room: "loader" });
    log("debug", "4");
    log("warn", "5");
  });
  t.same(
    lines.map((line) => line.at(-1)),
    ["2", "3", "5"],
  );
});

t.test("repeated errors are counted; lines of handlers are all written", async (t) => {
  const lines = await linesOf(t, {}, () => {
    for (let count = 0; count < 524; count += 1) {
      log("error", "down", { code: "MODTS_AUTH_SERVICE_DOWN" });
      log("info", "mine");
    }
  });
  t.equal(lines.filter((line) => line.endsWith("mine")).length, 524);
  const errors = lines.filter((line) => line.includes("MODTS_AUTH_SERVICE_DOWN"));
  t.equal(errors.length, 11);
  t.match(errors.at(-1), "MODTS_AUTH_SERVICE_DOWN: 514 more in the last 10 s: down");
});

t.test("lost lines are named by the next line that is written", async (t) => {
  const written: string[] = [];
  const sink: LogSink = {
    write: (line) => void written.push(line),
    losses: {
      take: () => (written.length === 1 ? { count: 7, reason: "ENOSPC" } : undefined),
    },
    reopen() {},
    close() {},
  };
  const output = await openLog({ level: "info" }, { room: "supervisor" }, () => sink);
  log("notice", "room");
  output.close();
  t.match(written, [/room\n$/, /mod_ts:warn.* 7 log lines were lost: ENOSPC\n$/]);
});

t.test("a file that cannot be opened is named, and lines go to standard error", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "mod-ts-log-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "no/log");
  t.match(await linesOf(t, { file }, () => log("notice", "hello")), [/MODTS_LOG_FILE/, /hello/]);
  const good = join(folder, "log");
  t.same(await linesOf(t, { file: good }, () => log("notice", "hello")), []);
  t.match(readFileSync(good, "utf8"), /hello\n$/);
});
