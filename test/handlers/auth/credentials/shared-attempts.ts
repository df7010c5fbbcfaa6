/** Attempts of two workers in one real Redis. */
import t from "tap";
import { SharedLimits } from "../../../../src/handlers/auth/credentials/attempt-limits.ts";
import { SharedAttempts } from "../../../../src/handlers/auth/credentials/shared-attempts.ts";
import { startRedis } from "../../../fixtures/redis.ts";
import { guess, openWith } from "../../../fixtures/shared-limits.ts";
import { until } from "../../../fixtures/until.ts";

const redis = await startRedis(t);
const skip = redis ? {} : { skip: "no Redis" };

function openTwo(attempts: number): [SharedLimits, SharedLimits] {
  const make = (): SharedLimits => {
    const shared = new SharedAttempts(redis?.url ?? "");
    t.teardown(() => shared.close());
    return new SharedLimits(attempts, "table", shared);
  };
  return [make(), make()];
}

t.test("by user and by client, at both together", skip, async (t) => {
  const [one, other] = openTwo(3);
  t.equal(await guess(one, "192.0.2.1", "ann"), 0);
  t.equal(await guess(other, "192.0.2.2", "ann"), 0);
  t.equal(await guess(one, "192.0.2.3", "ann", true), 0, "looking takes none");
  t.equal(await guess(one, "192.0.2.3", "ann"), 0);
  const wait = await guess(other, "192.0.2.4", "ann");
  t.ok(wait > 0 && wait <= 60, `${wait} s`);
  for (let count = 0; count < 15; count += 1) {
    t.equal(await guess(count % 2 ? one : other, "192.0.2.9", `name-${count}`), 0);
  }
  t.ok((await guess(one, "192.0.2.9", "name-x")) > 0, "the client has had its attempts");
});

t.test("a login at one is none for the other, and its address counts apart", skip, async (t) => {
  const [one, other] = openTwo(2);
  for (let count = 0; count < 5; count += 1) {
    const attempt = one.begin("192.0.2.50", "john");
    t.equal(await attempt.take(false), 0, "a right password costs nothing");
    attempt.succeed();
    // Noted in the background: the next command of the same connection comes after it.
    t.equal(await one.begin("192.0.2.50", "john").take(true), 0);
  }
  for (const client of ["192.0.2.51", "192.0.2.52"]) t.equal(await guess(one, client, "john"), 0);
  t.ok((await guess(one, "192.0.2.53", "john")) > 0, "elsewhere there are no more attempts");
  t.equal(await guess(other, "192.0.2.50", "john"), 0, "but where john has logged in");
});

t.test("another table of users has other attempts", skip, async (t) => {
  const shared = new SharedAttempts(redis?.url ?? "");
  t.teardown(() => shared.close());
  const [one, other] = ["a", "b"].map((scope) => new SharedLimits(1, scope, shared));
  t.equal(await guess(one!, "192.0.2.60", "eve"), 0);
  t.ok((await guess(one!, "192.0.2.61", "eve")) > 0);
  t.equal(await guess(other!, "192.0.2.61", "eve"), 0);
});

t.test("what Redis holds is neither a name nor an address, and expires", skip, async (t) => {
  const { Redis } = await import("ioredis");
  const client = new Redis(redis?.url ?? "");
  t.teardown(() => client.disconnect());
  const keys = await client.keys("*");
  t.ok(keys.length > 0);
  for (const key of keys) {
    t.match(key, /^mod_ts:attempts:[\w-]{43}$/);
    t.ok((await client.ttl(key)) > 0, "has an end");
  }
});

t.test("attempts are shared again when Redis answers again", skip, async (t) => {
  const { limits, logged } = openWith(t, redis?.url ?? "", 50);
  t.equal(await guess(limits, "192.0.2.80", "bob"), 0);
  await redis?.stop();
  await guess(limits, "192.0.2.80", "bob");
  await guess(limits, "192.0.2.80", "bob");
  await redis?.start();
  const other = openWith(t, redis?.url ?? "", 50).limits;
  await until(async () => String(await guess(other, "192.0.2.81", "bob")), /^[1-9]/);
  // What the worker counted is far from its limit.
  await until(async () => String(await guess(limits, "192.0.2.82", "bob", true)), /^[1-9]/);
  t.equal(logged.length, 1);
});
