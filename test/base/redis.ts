/** Connections to Redis: a script is a method, and a missing server is an error within limits. */
import t from "tap";
import { connectRedis } from "../../src/base/redis.ts";
import { startRedis } from "../fixtures/redis.ts";

const server = await startRedis(t);
const scripts = { double: { lua: "return 2 * ARGV[1]", numberOfKeys: 0 } };
interface Scripts {
  double(value: string): Promise<number>;
}

t.test("a script", server ? {} : { skip: "no Redis" }, async (t) => {
  const redis = await connectRedis<Scripts>(server?.url ?? "", "a test", scripts);
  t.teardown(() => redis.disconnect());
  t.equal(await redis.double("21"), 42);
});

t.test("no server", async (t) => {
  const redis = await connectRedis<Scripts>("redis://127.0.0.1:1", "a test", scripts);
  t.teardown(() => redis.disconnect());
  await t.rejects(redis.double("21"), { message: "connect ECONNREFUSED 127.0.0.1:1" });
});
