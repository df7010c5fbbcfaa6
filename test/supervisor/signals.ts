import t from "tap";
import { logChannel } from "../../src/base/channels.ts";
import type { LogRecord } from "../../src/base/log.ts";
import { obeySignals } from "../../src/supervisor/signals.ts";

t.test("each signal has its command, until the end", async (t) => {
  const seen: string[] = [];
  const listen = (record: unknown): void => void seen.push((record as LogRecord).message);
  logChannel.subscribe(listen);
  t.teardown(() => logChannel.unsubscribe(listen));
  const note = (name: string) => () => void seen.push(name);
  const signals = ["SIGHUP", "SIGUSR2", "SIGTERM", "SIGINT", "SIGUSR1"] as const;
  const count = (): number[] => signals.map((signal) => process.listenerCount(signal));
  const before = count();
  const ignore = obeySignals({
    reload: note("reload"),
    upgrade: note("upgrade"),
    stop: note("stop"),
    reopenLogs: note("reopen"),
  });
  // Not those of the test runner.
  for (const signal of signals) (process.listeners(signal).at(-1) as () => void)();
  const logged = ["got SIGHUP", "reload", "got SIGUSR2", "upgrade", "got SIGTERM", "stop"];
  t.same(seen, [...logged, "got SIGINT", "stop", "reopen"]);
  ignore();
  t.same(count(), before, "nothing is left behind");
});
