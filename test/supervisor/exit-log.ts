import t from "tap";
import { logChannel } from "../../src/base/channels.ts";
import type { LogRecord } from "../../src/base/log.ts";
import { ExitLog } from "../../src/supervisor/exit-log.ts";

const records: LogRecord[] = [];
logChannel.subscribe((record) => records.push(record as LogRecord));
const lines = (): string[] => records.splice(0).map(({ code, level }) => code ?? level);

t.test("a crash loop is one line, and one a minute", async (t) => {
  let now = 0;
  const exits = new ExitLog("main", 30_000, () => now);
  const exit = (reason = "exit code 1", age = 5): void => exits.note({ pid: 7, reason, age });
  exit();
  exit();
  t.same(lines(), ["MODTS_WORKER_DIED", "MODTS_WORKER_DIED"], "two are two");
  for (let count = 0; count < 20; count += 1) exit();
  t.same(lines(), ["MODTS_CRASH_LOOP"]);
  exit("exit code 2");
  t.same(lines(), ["MODTS_CRASH_LOOP"], "another reason is news");
  now += 60_000;
  exit("exit code 2");
  t.match(records[0]?.message, /24 in a row/);
  t.same(lines(), ["MODTS_CRASH_LOOP"]);
  exits.recover();
  t.same(lines(), ["notice"], "the end of it is said");
  exit();
  t.same(lines(), ["MODTS_WORKER_DIED"]);
  exit("exit code 1", 30_000);
  exit("exit code 1", 30_000);
  exit("exit code 1", 30_000);
  t.same(lines(), Array(3).fill("MODTS_WORKER_DIED"), "one now and then is no loop");
  exits.recover();
  t.same(lines(), []);
});
