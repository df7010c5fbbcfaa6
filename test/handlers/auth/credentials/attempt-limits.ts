/** What shared limits do while Redis does not answer; test/handlers/auth/credentials/password-guard.ts has the local ones. */
import t from "tap";
import {
  LocalLimits,
  SharedLimits,
} from "../../../../src/handlers/auth/credentials/attempt-limits.ts";
import { SharedAttempts } from "../../../../src/handlers/auth/credentials/shared-attempts.ts";

t.test("an attempt that succeeded is none, and its address counts apart", async (t) => {
  const limits = new LocalLimits(2);
  const first = limits.begin("192.0.2.7", "ann");
  t.equal(first.take(false), 0);
  first.succeed();
  for (const isLimited of [false, false, true]) {
    const wait = limits.begin("192.0.2.8", "ann").take(false);
    t.equal(Number(wait) > 0, isLimited, "somebody else");
  }
  t.equal(limits.begin("192.0.2.7", "ann").take(false), 0, "the owner");
});

t.test("without Redis, each worker counts by itself, and lets nobody guess", async (t) => {
  const shared = new SharedAttempts("redis://127.0.0.1:1");
  t.teardown(() => shared.close());
  const limits = new SharedLimits(2, "test", shared);
  const guess = () => limits.begin("192.0.2.8", "ann").take(false);
  t.same([await guess(), await guess()], [0, 0]);
  // Waiting for Redis takes time.
  const wait = await guess();
  t.ok(wait > 0 && wait <= 60, `${wait} s`);
  const other = limits.begin("192.0.2.7", "john");
  t.equal(await other.take(false), 0);
  other.succeed();
  t.equal(await limits.begin("192.0.2.7", "john").take(true), 0);
});
