/** The sessions of one request: which of them a cookie opens, and in which order. */
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import t from "tap";
import type { ApacheRequest } from "../../src/request/request.ts";
import { cookieOf, serveSessions } from "../fixtures/session-server.ts";

const begin = async (req: ApacheRequest): Promise<void> => {
  (await req.session()).data["n"] = 1;
};

t.test("opened again, a session is the same object", async (t) => {
  const { ask } = await serveSessions(t);
  await ask(async (req) => {
    const [first, second] = await Promise.all([req.session(), req.session()]);
    t.equal(first, second, "at the same time, without waiting for its own lock");
    t.equal(await req.session(), first, "and later");
  });
});

t.test("a shared lock becomes an exclusive one when the session is opened again", async (t) => {
  const { ask } = await serveSessions(t);
  const cookie = cookieOf(await ask(begin));
  const reply = await ask(async (req) => {
    const shared = await req.session({ lock: "shared" });
    const exclusive = await req.session();
    t.equal(shared, exclusive);
    exclusive.data["n"] = 2;
  }, cookie);
  t.equal(reply.status, 200, "so its data may be changed");
});

t.test("an id that the store does not know is never used", async (t) => {
  const { ask } = await serveSessions(t);
  const planted = "a".repeat(43);
  const reply = await ask(begin, `tssid=${planted}`);
  t.match(cookieOf(reply), /^tssid=[\w-]{43}$/);
  t.notMatch(cookieOf(reply), planted, "an attacker cannot choose the id of a user");
});

t.test("of several cookies of one name the first that the store knows counts", async (t) => {
  const { ask } = await serveSessions(t);
  const cookie = cookieOf(await ask(begin));
  const read = async (req: ApacheRequest): Promise<void> => {
    req.write(String((await req.session()).data["n"]));
  };
  t.equal((await ask(read, `tssid=${"b".repeat(43)}; ${cookie}`)).body, "1");
});

t.test("a session of which the lifetime became shorter has ended", async (t) => {
  let now = 1_000_000_000_000;
  const { ask } = await serveSessions(t, { now: () => now });
  const cookie = cookieOf(await ask(begin));
  now += 10_000;
  await ask(async (req) => {
    t.ok((await req.session({ maxLifetime: 5 })).isNew, "older than the 5 seconds of today");
  }, cookie);
});

t.test("a request that ends while it waits leaves no lock", async (t) => {
  const path = join(t.testdir(), "s.db");
  const { ask } = await serveSessions(t, { values: { "mod_ts.session.store": `sqlite:${path}` } });
  const cookie = cookieOf(await ask(begin));
  const opened: Promise<unknown>[] = [];
  await ask(async (req) => void opened.push(req.session().catch(() => {})), cookie);
  await Promise.all(opened);
  const database = new DatabaseSync(path, { readOnly: true });
  t.teardown(() => database.close());
  t.strictSame(database.prepare("SELECT lock FROM session WHERE lock != ''").all(), []);
});
