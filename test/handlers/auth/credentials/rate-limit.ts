import t from "tap";
import { addressKey, RateLimit } from "../../../../src/handlers/auth/credentials/rate-limit.ts";

t.test("so many at once, then one each so often", async (t) => {
  let now = 1_000_000;
  const limit = new RateLimit(3, 60, () => now);
  const take = (): number => limit.take("john");
  t.strictSame([take(), take(), take(), take()], [0, 0, 0, 60]);
  now += 59_000;
  t.equal(take(), 1);
  now += 1000;
  t.strictSame([take(), take()], [0, 60]);
  t.equal(limit.take("ann"), 0, "each key has its own");
  now += 3_600_000;
  t.strictSame([take(), take(), take(), take()], [0, 0, 0, 60], "never more than at the start");
});

t.test("a good attempt gives its token back, and no more", async (t) => {
  const limit = new RateLimit(1, 60, () => 0);
  limit.giveBack("x");
  t.equal(limit.take("x"), 0);
  t.equal(limit.take("x"), 60);
  limit.giveBack("x");
  t.strictSame([limit.take("x"), limit.take("x")], [0, 60]);
});

t.test("each attempt counts, whatever the fraction of the clock", async (t) => {
  for (let count = 0; count < 200; count += 1) {
    const limit = new RateLimit(1, 60, () => 1000 + count * 1.0007);
    t.strictSame([limit.take("x"), limit.take("x")], [0, 60]);
  }
});

t.test("attempts at other names do not free the one that is guessed", async (t) => {
  const limit = new RateLimit(10, 60, () => 0);
  while (limit.take("guessed") === 0);
  for (let index = 0; index < 30_000; index += 1) limit.take(`${index}`);
  t.equal(limit.take("guessed"), 60);
  const free = Array.from({ length: 1000 }, (_, index) => limit.take(`new ${index}`));
  t.ok(free.filter((wait) => wait === 0).length > 990, "and lock out hardly anybody");
});

t.test("an IPv6 client has 2^64 addresses and one key", async (t) => {
  for (const [address, key] of [
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:0DB8:1:2::6", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["", ""],
    ["nonsense", "nonsense"],
  ] as const) {
    t.equal(addressKey(address), key, address);
  }
});
