/** Attempts of two workers in one real Redis. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { logChannel } from "../../../../src/base/channels.ts";
import type { LogRecord } from "../../../../src/base/log.ts";
import { SharedLimits } from "../../../../src/handlers/auth/credentials/attempt-limits.ts";
import { SharedAttempts } from "../../../../src/handlers/auth/credentials/shared-attempts.ts";
import { startRedis } from "../../../fixtures/redis.ts";
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

const guess = (limits: SharedLimits, client: string, user: string, onlyLooks = false) =>
  limits.begin(client, user).take(onlyLooks);

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

t.test("a server that never answers is asked once", async (t) => {
  const connections: Socket[] = [];
  const silent = createServer((socket) => connections.push(socket.on("error", () => undefined)));
  await once(silent.listen(0, "127.0.0.1"), "listening");
  t.teardown(() => {
    silent.close();
    for (const socket of connections) socket.destroy();
  });
  const { port } = silent.address() as AddressInfo;
  const { limits, logged } = openWith(t, `redis://127.0.0.1:${port}`, 60_000);
  const guesses = Array.from({ length: 3 }, () => guess(limits, "192.0.2.70", "ann"));
  t.same(await Promise.all(guesses), [0, 0, 0], "these wait");
  for (let count = 0; count < 3; count += 1) await guess(limits, "192.0.2.70", "ann");
  t.equal(logged.length, 1, "these do not, or each would have failed");
  limits.begin("192.0.2.71", "john").succeed();
  t.ok((await guess(limits, "192.0.2.70", "ann")) > 0, "the worker counts");
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

/** Six attempts, and what is logged about them. */
function openWith(
  t: Test,
  source: string,
  pauseMs: number,
): { limits: SharedLimits; logged: LogRecord[] } {
  const logged: LogRecord[] = [];
  const listener = (record: unknown): void => {
    if ((record as LogRecord).level === "error") logged.push(record as LogRecord);
  };
  logChannel.subscribe(listener);
  const shared = new SharedAttempts(source, pauseMs);
  t.teardown(async () => {
    logChannel.unsubscribe(listener);
    await shared.close();
  });
  return { limits: new SharedLimits(6, "table", shared), logged };
}
