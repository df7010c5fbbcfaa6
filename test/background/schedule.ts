import { EventEmitter, once } from "node:events";
import t, { type Test } from "tap";
import { Schedule } from "../../src/background/schedule.ts";
import { logChannel } from "../../src/base/channels.ts";
import type { LogRecord } from "../../src/base/log.ts";
import type { JobContext } from "../../src/engine/handler.ts";
import { until } from "../fixtures/until.ts";

const everySecond = "* * * * * *";
const never = "0 0 1 1 *";

interface Jobs {
  readonly schedule: Schedule;
  /** Emits `name` with the context of each run. */
  readonly runs: EventEmitter;
  readonly log: LogRecord[];
  held: number;
}

/** Two jobs of a module: `job` ends at once, `slow` when it is told to. */
function makeJobs(t: Test, cron: Record<string, string>): Jobs {
  const runs = new EventEmitter();
  const log: LogRecord[] = [];
  const listen = (record: unknown): void => void log.push(record as LogRecord);
  logChannel.subscribe(listen);
  t.teardown(() => logChannel.unsubscribe(listen));
  const exports = {
    job: (context: JobContext) => void runs.emit("job", context),
    inner: {
      slow: async (context: JobContext) => {
        runs.emit("slow", context);
        await once(runs, "end");
      },
    },
    fails: () => {
      throw new RangeError("inside");
    },
    text: "none",
  };
  const jobs: Jobs = {
    runs,
    log,
    held: 0,
    schedule: new Schedule(
      Object.fromEntries(
        Object.entries(cron).map(([run, time]) => [
          run.replace(/.*::/, "") || "plain",
          { run, cron: time },
        ]),
      ),
      () => {
        jobs.held += 1;
        return { exports, file: "/a.ts", generation: 1, release: () => void (jobs.held -= 1) };
      },
      () => runs.emit("start"),
    ),
  };
  t.teardown(() => jobs.schedule.stop());
  return jobs;
}

t.test("a job runs at its times, and holds its module meanwhile", async (t) => {
  const jobs = makeJobs(t, { "a.ts": everySecond });
  let held = 0;
  jobs.runs.once("job", () => (held = jobs.held));
  const [context] = (await once(jobs.runs, "job")) as [JobContext];
  t.equal(context.name, "a.ts");
  t.equal(held, 1);
  await once(jobs.runs, "job");
  await jobs.schedule.stop();
  t.equal(jobs.held, 0);
});

t.test("a job does not overlap itself, and is waited for", async (t) => {
  const jobs = makeJobs(t, { "a.ts::inner.slow": everySecond });
  let runs = 0;
  jobs.runs.on("slow", () => (runs += 1));
  const [context] = (await once(jobs.runs, "slow")) as [JobContext];
  await until(() => jobs.log.map(({ code }) => code).join(" "), "MODTS_JOB_OVERLAPS");
  t.equal(runs, 1);
  const stopped = jobs.schedule.stop();
  t.ok(context.signal.aborted);
  jobs.runs.emit("end");
  await stopped;
});

t.test("what fails is logged with the name of the job", async (t) => {
  const jobs = makeJobs(t, {
    "a.ts::fails": everySecond,
    "a.ts::text": everySecond,
    "a.ts::none": everySecond,
  });
  const failures = (): Set<string> =>
    new Set(
      jobs.log
        .filter(({ code }) => code === "MODTS_JOB_FAILED")
        .map(({ message, error }) => `${message}: ${String(error)}`),
    );
  await until(() => `${failures().size} jobs`, "3 jobs");
  t.match([...failures()].toSorted(), [
    "job fails failed: RangeError: inside",
    /^job none failed: ModTsError: .*no export named none/,
    /^job text failed: ModTsError: export text of .* expected a function/,
  ]);
});

t.test("a time that fell into a change of the worker is made up, once", async (t) => {
  const jobs = makeJobs(t, { "a.ts": never });
  let runs = 0;
  jobs.runs.on("job", () => (runs += 1));
  jobs.schedule.makeUp(undefined);
  jobs.schedule.makeUp(Date.now());
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(runs, 0, "its time did not come");
  const minutely = makeJobs(t, { "a.ts": "* * * * *" });
  const first = once(minutely.runs, "job");
  minutely.schedule.makeUp(Date.now() - 100_000);
  await first;
  const old = makeJobs(t, { "a.ts": "0 0 * * *" });
  old.schedule.makeUp(Date.now() - 3 * 86_400_000);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(old.held, 0, "what is older is left");
});
