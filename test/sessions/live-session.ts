/** One session while a request uses it, with a clock that the test moves. */
import t from "tap";
import type { ApacheRequest } from "../../src/request/request.ts";
import { cookieOf, serveSessions } from "../fixtures/session-server.ts";

let now = 1_000_000_000_000;
const clock = { now: () => now };

const begin = async (req: ApacheRequest): Promise<void> => {
  (await req.session()).data["n"] = 1;
};

t.test("the timeout is a number of seconds above 0; parts of a second count whole", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(begin));
  await ask(async (req) => {
    const session = await req.session();
    for (const wrong of [0, -1, Number.NaN, Infinity, Number.MAX_SAFE_INTEGER]) {
      t.throws(() => (session.timeout = wrong), { code: "MODTS_BAD_ARGUMENT" }, String(wrong));
    }
    session.timeout = 59.2;
    t.equal(session.timeout, 60);
  }, cookie);
  await ask(async (req) => t.equal((await req.session()).timeout, 60, "it is kept"), cookie);
  now += 61_000;
  await ask(async (req) => t.ok((await req.session()).isNew, "and ends the session"), cookie);
});

t.test("without a lock, the store learns of a use once a minute at most", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(begin));
  const start = now / 1000;
  const look = async (req: ApacheRequest): Promise<void> => {
    req.write(String((await req.session({ lock: false })).lastAccessed - start));
  };
  now += 59_000;
  t.equal((await ask(look, cookie)).body, "0");
  now += 1000;
  t.equal((await ask(look, cookie)).body, "0", "the use 59 seconds after it was not stored");
  now += 1000;
  t.equal((await ask(look, cookie)).body, "60", "the one after 60 seconds was");
});

t.test("save() keeps the lock, unlock() gives it up", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(begin));
  const tryLock = () =>
    ask(async (other) => void (await other.session({ lockTimeout: 0 })), cookie);
  await ask(async (req) => {
    const session = await req.session();
    session.data["n"] = 2;
    await session.save();
    t.equal((await tryLock()).body, "MODTS_SESSION_LOCKED", "after save()");
    await session.unlock();
    t.equal((await tryLock()).status, 200, "after unlock()");
  }, cookie);
});

t.test("data stays the same object when lock() reads it again", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(begin));
  await ask(async (req) => {
    const session = await req.session();
    const { data } = session;
    await session.unlock();
    await ask(async (other) => void ((await other.session()).data["m"] = 2), cookie);
    await session.lock();
    t.equal(session.data, data, "a handler may keep it in a variable");
    t.strictSame({ ...data }, { n: 1, m: 2 });
  }, cookie);
});

t.test("operations that a handler does not await run one after the other", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(begin));
  const moved = await ask(async (req) => {
    const session = await req.session();
    session.data["n"] = 2;
    void session.save();
    void session.rotate();
    session.data["n"] = 3;
  }, cookie);
  t.not(cookieOf(moved), cookie, "the id was replaced");
  const read = async (req: ApacheRequest): Promise<void> => {
    req.write(String((await req.session({ lockTimeout: 0 })).data["n"]));
  };
  t.equal((await ask(read, cookieOf(moved))).body, "3", "the last change is kept, and no lock");
});
