import { fastify } from "fastify";
import t from "tap";
import { ApplicationLogController, createFastifyLog } from "../../src/adapters/fastify-log.ts";
import { logChannel } from "../../src/channels.ts";
import type { LogRecord } from "../../src/log.ts";

const records: LogRecord[] = [];
const listen = (record: unknown): void => void records.push(record as LogRecord);
logChannel.subscribe(listen);
t.teardown(() => logChannel.unsubscribe(listen));
t.beforeEach(() => void records.splice(0));

t.test("levels, texts, errors", async (t) => {
  const log = createFastifyLog("app");
  const error = new Error("boom");
  log.fatal("a %s of %d", "text", 2);
  log.error(error);
  log.error({ err: error }, "why");
  log.warn({ a: 1 }, "with details");
  log.child({ reqId: 1 }).info("child");
  log.debug("d");
  log.trace("t");
  log.silent("nothing");
  t.strictSame(records, [
    { level: "crit", message: "app: a text of 2" },
    { level: "error", message: "app: boom", error },
    { level: "error", message: "app: why", error },
    { level: "warn", message: "app: with details" },
    { level: "info", message: "app: child" },
    { level: "debug", message: "app: d" },
    { level: "debug", message: "app: t" },
  ]);
});

t.test("what Fastify itself logs", async (t) => {
  const instance = fastify({
    loggerInstance: createFastifyLog("app"),
    logController: new ApplicationLogController(),
  });
  instance.get("/", async () => "fine");
  instance.get("/boom", async () => {
    throw new Error("boom");
  });
  instance.get("/refused", async () => {
    throw Object.assign(new Error("no"), { statusCode: 403 });
  });
  for (const url of ["/", "/unknown", "/boom", "/refused"]) await instance.inject(url);
  t.match(records, [
    { level: "error", message: "app: boom", error: { message: "boom" } },
    { level: "info", message: "app: no" },
  ]);
  t.equal(records.length, 2);
  t.notOk(records[1]?.error, "a refusal shows no stack");
  await instance.close();
});
