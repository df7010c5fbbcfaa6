/** Errors that belong to no request: one ends nothing, the other the worker, and both are in the log. */
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `<Location "/reject">\nUse TsHandler a.ts::reject\n</Location>
    <Location "/throw">\nUse TsHandler a.ts::fail\n</Location>
    <Location "/pid">\nUse TsHandler a.ts::pid\n</Location>`,
  handlers: {
    "a.ts": `
      import { OK, type ApacheRequest } from "mod-ts";
      export function reject() { void Promise.reject(new Error("forgotten")); return OK; }
      export function fail() { setTimeout(() => { throw new Error("in a timer"); }, 1); return OK; }
      export function pid(req: ApacheRequest) { req.write(String(process.pid)); return OK; }
    `,
  },
});
const pid = async (): Promise<string> => (await apache.request("/pid")).body;

t.test("a forgotten promise: a line in the log, and the worker goes on", async (t) => {
  const before = await pid();
  t.equal((await apache.request("/reject")).status, 200);
  const log = await until(apache.sidecarLog, /MODTS_UNHANDLED_REJECTION[^]*forgotten[^]*a\.ts:3/);
  t.match(log, /MODTS_UNHANDLED_REJECTION[^]*forgotten[^]*a\.ts:3/);
  t.equal(await pid(), before);
});

t.test("a throw in a timer: a line in the log, and another worker", async (t) => {
  const before = await pid();
  t.equal((await apache.request("/throw")).status, 200);
  const log = await until(apache.sidecarLog, /MODTS_UNCAUGHT_EXCEPTION[^]*in a timer[^]*a\.ts:4/);
  t.match(log, /MODTS_UNCAUGHT_EXCEPTION[^]*in a timer[^]*a\.ts:4/);
  t.match(await until(apache.sidecarLog, /MODTS_WORKER_DIED/), /MODTS_WORKER_DIED/);
  let after = before;
  for (let tries = 0; tries < 100 && (after === before || !/^\d+$/.test(after)); tries += 1) {
    await sleep(50);
    after = await pid();
  }
  t.match(after, /^\d+$/);
  t.not(after, before);
});
