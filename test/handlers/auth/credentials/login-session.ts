/** Sessions of the login form, form tokens, ended sessions. */
import fs, { existsSync, readdirSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import t from "tap";
import {
  EndedSessions,
  FormTokens,
  LoginSessions,
} from "../../../../src/handlers/auth/credentials/login-session.ts";

const master = "m".repeat(32);
const life = { idle: 100, total: 250 };

t.test("comes back as it was, for its time", async (t) => {
  let now = 0;
  const sessions = new LoginSessions(master, "a", { life, now: () => now });
  const session = sessions.begin('jörg; x=1,"', "hash");
  const cookie = sessions.format(session);
  t.match(cookie, /^[\w-]+\.[\w-]+$/, "no character that a cookie would mind");
  t.strictSame(sessions.read(cookie), session);
  now = 99_999;
  t.ok(sessions.read(cookie));
  now = 100_000;
  t.equal(sessions.read(cookie), undefined);
});

t.test("is renewed with use, not with every one, and not for ever", async (t) => {
  let now = 0;
  const sessions = new LoginSessions(master, "a", { life, now: () => now });
  const first = sessions.begin("john", "hash");
  now = 10_000;
  t.equal(sessions.renew(first), undefined);
  now = 50_000;
  const second = sessions.renew(first);
  t.match(second, { user: "john", id: first.id, issued: 0, expires: 150, mark: first.mark });
  now = 149_000;
  const third = second && sessions.renew(second);
  t.match(third, { expires: 249 });
  now = 248_000;
  t.equal(third && sessions.renew(third), undefined, "one second more is not worth a cookie");
  now = 250_000;
  t.equal(sessions.read(sessions.format({ ...first, expires: 1000 })), undefined);
  t.equal(sessions.lastMoment(first), 250);
});

t.test("is good for one key, one realm, one password hash", async (t) => {
  const sessions = new LoginSessions(master, "a", { life });
  const session = sessions.begin("john", "hash");
  const cookie = sessions.format(session);
  t.equal(new LoginSessions(`${master}x`, "a", { life }).read(cookie), undefined);
  t.equal(new LoginSessions(master, "b", { life }).read(cookie), undefined);
  t.ok(new LoginSessions(master, "a", { life }).read(cookie));
  t.ok(sessions.fits(session, "hash"));
  t.notOk(sessions.fits(session, "hash2"));
  t.notMatch(Buffer.from(cookie, "base64url").toString(), "hash");
});

t.test("each has an id of its own", async (t) => {
  const sessions = new LoginSessions(master, "a", { life });
  t.not(sessions.begin("john", "hash").id, sessions.begin("john", "hash").id);
});

t.test("for this browser, this page, and not for ever", async (t) => {
  let now = 0;
  const tokens = new FormTokens("m".repeat(32), "a", () => now);
  const token = tokens.make("id");
  t.ok(tokens.isGood(token, "id"));
  t.notOk(tokens.isGood(token, "other"));
  t.notOk(tokens.isGood("", "id"));
  t.notOk(tokens.isGood(`${token}x`, "id"));
  t.notOk(new FormTokens("m".repeat(32), "b").isGood(token, "id"));
  now = 12 * 3600 * 1000 - 1;
  t.ok(tokens.isGood(token, "id"));
  now += 1;
  t.notOk(tokens.isGood(token, "id"));
});

const id = (digit: string): string => digit.repeat(32);

t.test("are known to every process, until they would have expired", async (t) => {
  const folder = join(t.testdir({}), "ended");
  const ended = new EndedSessions(folder);
  t.notOk(ended.has(id("a")));
  const later = Math.floor(Date.now() / 1000) + 1000;
  ended.add(id("a"), later);
  ended.add(id("a"), later);
  t.ok(ended.has(id("a")));
  t.ok(new EndedSessions(folder).has(id("a")));
  t.notOk(ended.has(id("b")));
  ended.add(id("c"), 1000);
  ended.add(id("d"), later);
  t.strictSame(readdirSync(folder).toSorted(), [id("a"), id("d")], "an expired one needs no note");
});

/** Calls of the file system during an action. */
function countCalls(action: () => void): number {
  const names = [
    "mkdirSync",
    "opendirSync",
    "readdirSync",
    "rmSync",
    "statSync",
    "utimesSync",
    "writeFileSync",
  ] as const;
  const originals = names.map((name) => [name, fs[name]] as const);
  let calls = 0;
  for (const [name, original] of originals) {
    Object.assign(fs, {
      [name]: (...args: unknown[]) => ((calls += 1), Reflect.apply(original, fs, args)),
    });
  }
  syncBuiltinESMExports();
  try {
    action();
  } finally {
    Object.assign(fs, Object.fromEntries(originals));
    syncBuiltinESMExports();
  }
  return calls;
}

t.test(
  "a logout costs the same whatever others have left, and old notes go in the end",
  async (t) => {
    const folder = t.testdir({});
    const later = Math.floor(Date.now() / 1000) + 1000;
    const idOf = (count: number): string => count.toString(16).padStart(32, "0");
    for (let count = 0; count < 600; count += 1) {
      const file = join(folder, idOf(count));
      fs.writeFileSync(file, "");
      fs.utimesSync(file, count % 2 ? later : 1000, count % 2 ? later : 1000);
    }
    const ended = new EndedSessions(folder);
    const calls = Array.from({ length: 450 }, (_, count) =>
      countCalls(() => ended.add(idOf(10_000 + count), later)),
    );
    t.ok(Math.max(...calls) <= 12, `at most ${Math.max(...calls)} calls of the file system`);
    const notes = readdirSync(folder);
    t.equal(notes.length, 300 + 450);
    t.ok(notes.every((name) => fs.statSync(join(folder, name)).mtimeMs > Date.now()));
  },
);

t.test("no id becomes a path", async (t) => {
  const folder = t.testdir({});
  const ended = new EndedSessions(folder);
  for (const bad of ["../x", "", "a", id("A"), `${id("a")}/..`]) {
    t.throws(() => ended.add(bad, 1), TypeError);
    t.throws(() => ended.has(bad), TypeError);
  }
  t.notOk(existsSync(join(folder, "../x")));
});
