/** Errors that belong to no request: one ends nothing, the other the worker, and both are in the log. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `<Location "/reject">\nUse TsHandler a.ts::reject\n</Location>
    <Location "/throw">\nUse TsHandler a.ts::fail\n</Location>
    <Location "/pid">\nUse TsHandler a.ts::pid\n</Location>`,
  handlers: { "a.ts": handlerFile("strays.ts") },
});
const pid = async (): Promise<string> => (await apache.request("/pid")).body;

t.test("a forgotten promise: a line in the log, and the worker goes on", async (t) => {
  const before = await pid();
  t.equal((await apache.request("/reject")).status, 200);
  const log = await until(apache.sidecarLog, /MODTS_UNHANDLED_REJECTION[^]*forgotten[^]*a\.ts:4/);
  t.match(log, /MODTS_UNHANDLED_REJECTION[^]*forgotten[^]*a\.ts:4/);
  t.equal(await pid(), before);
});

t.test("a throw in a timer: a line in the log, and another worker", async (t) => {
  const before = await pid();
  t.equal((await apache.request("/throw")).status, 200);
  const log = await until(apache.sidecarLog, /MODTS_UNCAUGHT_EXCEPTION[^]*in a timer[^]*a\.ts:9/);
  t.match(log, /MODTS_UNCAUGHT_EXCEPTION[^]*in a timer[^]*a\.ts:9/);
  t.match(await until(apache.sidecarLog, /MODTS_WORKER_DIED/), /MODTS_WORKER_DIED/);
  const another = new RegExp(`^(?!${before}$)\\d+$`);
  t.match(await until(pid, another), another, "another process responds");
});
