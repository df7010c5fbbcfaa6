import { Redis } from "ioredis";
import t from "tap";
import { openRedisStore } from "../../src/sessions/redis-store.ts";
import { startRedis } from "../fixtures/redis.ts";
import { checkStore, recordOf } from "../fixtures/session-store.ts";
import { until } from "../fixtures/until.ts";

t.test("with a real server", async (t) => {
  const server = await startRedis(t);
  if (!server && process.env["CI"])
    throw new Error("Redis is missing: node scripts/setup.mjs --test");
  if (!server) return t.plan(0, "Redis is not installed: node scripts/setup.mjs --test");
  const [store, other] = [await openRedisStore(server.url), await openRedisStore(server.url)];
  const redis = new Redis(server.url);
  t.teardown(() => [store.close(), other.close(), redis.disconnect()]);
  await checkStore(t, store, other);

  await t.test("Redis itself removes what has expired, an hour later", async (t) => {
    const key = "mod_ts:session:expiry";
    const record = recordOf({});
    await store.insert("expiry", record, "");
    t.equal(await redis.expiretime(key), record.expires + 3600);
    await store.update("expiry", { expires: record.expires + 7 }, undefined);
    t.equal(await redis.expiretime(key), record.expires + 3607);
    t.equal(store.sweep(0), false);
    t.equal(store.expiresItself, true);
  });

  await t.test("without an answer it is an error, and with one all goes on", async (t) => {
    await server.stop();
    await t.rejects(Promise.resolve(store.load("expiry")), "nobody waits for ever");
    await server.start();
    const found = (): Promise<string> =>
      Promise.resolve(store.load("expiry")).then(() => "found", String);
    t.equal(await until(found, /^found$/), "found", "back without a restart");
  });
});
