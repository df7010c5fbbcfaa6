/** What shared limits do while Redis does not answer; test/handlers/auth/credentials/password-guard.ts has the local ones. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import t from "tap";
import {
  LocalLimits,
  SharedLimits,
} from "../../../../src/handlers/auth/credentials/attempt-limits.ts";
import { SharedAttempts } from "../../../../src/handlers/auth/credentials/shared-attempts.ts";
import { guess, openWith } from "../../../fixtures/shared-limits.ts";

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
  const attempt = () => limits.begin("192.0.2.8", "ann").take(false);
  t.same([await attempt(), await attempt()], [0, 0]);
  // Waiting for Redis takes time.
  const wait = await attempt();
  t.ok(wait > 0 && wait <= 60, `${wait} s`);
  const other = limits.begin("192.0.2.7", "john");
  t.equal(await other.take(false), 0);
  other.succeed();
  t.equal(await limits.begin("192.0.2.7", "john").take(true), 0);
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
