import { join } from "node:path";
import t, { type Test } from "tap";
import { LoginRealm } from "../../src/credentials/login-realm.ts";
import { Stores } from "../../src/credentials/stores.ts";

function realmOf(t: Test, more: Record<string, string> = {}, run = "run"): LoginRealm {
  const folder = t.testdirName ?? "";
  const options = {
    "mod_ts.login.location": "/login",
    "mod_ts.login.store": "htpasswd",
    "mod_ts.htpasswd.file": "users",
    ...more,
  };
  return new LoginRealm(options, new Stores(folder), { folder, state: join(folder, run) });
}

t.test("a session is found while nothing speaks against it", async (t) => {
  t.testdir({ users: "john:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n" });
  const realm = realmOf(t);
  const hash = (await realm.verifier.verify("john", "secret")) ?? "";
  const session = realm.sessions.begin("john", hash);
  const cookie = realm.sessions.format(session);
  t.equal((await realm.findSession(["x", cookie]))?.user, "john");
  t.equal((await realmOf(t).findSession([cookie]))?.user, "john", "in another process");
  t.equal(await realm.findSession([]), undefined);
  const elsewhere = realmOf(t, { "mod_ts.login.location": "/other" });
  t.equal(await elsewhere.findSession([cookie]), undefined);
  const others = realmOf(t, { "mod_ts.htpasswd.file": "users users" });
  t.equal(await others.findSession([cookie]), undefined, "with another store");
  realm.ended.add(session.id, realm.sessions.lastMoment(session));
  t.equal(await realm.findSession([cookie]), undefined);
});

t.test("sidecars that share a folder share sessions and their ends", async (t) => {
  t.testdir({ users: "john:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n" });
  const state = { "mod_ts.login.state": "state" };
  const [one, two] = [realmOf(t, state, "one"), realmOf(t, state, "two")];
  const session = one.sessions.begin("john", (await one.verifier.verify("john", "secret")) ?? "");
  const cookie = one.sessions.format(session);
  t.equal((await two.findSession([cookie]))?.user, "john");
  t.equal(await realmOf(t, {}, "two").findSession([cookie]), undefined, "without: a key each");
  one.ended.add(session.id, one.sessions.lastMoment(session));
  t.equal(await two.findSession([cookie]), undefined);
});

t.test("attempts: by user, by address, and a good one does not count for the user", async (t) => {
  t.testdir({ users: "" });
  const realm = realmOf(t, { "mod_ts.login.attempts": "2" });
  const attempts = (user: string, count: number): boolean[] =>
    Array.from({ length: count }, () => realm.attempt(user, "192.0.2.7") === 0);
  t.strictSame(attempts("john", 3), [true, true, false]);
  realm.forgive("john");
  t.strictSame(attempts("john", 1), [true]);
  t.strictSame(attempts("ann", 2), [true, true]);
  t.strictSame(attempts("bea", 2), [true, true]);
  t.strictSame(attempts("eve", 2), [true, true], "the tenth of this address");
  t.strictSame(attempts("kim", 1), [false]);
  t.equal(realm.attempt("kim", "192.0.2.8"), 0);
});

t.test("mistakes name their option", async (t) => {
  t.testdir({ users: "" });
  for (const [key, value] of [
    ["location", "//evil.example"],
    ["location", "login"],
    ["store", "ldap"],
    ["secure", "yes"],
    ["attempts", "0"],
    ["lifetime", "1"],
    ["lifetme", "100"],
  ]) {
    const message = new RegExp(`mod_ts\\.login\\.${key}:`);
    t.throws(() => realmOf(t, { [`mod_ts.login.${key}`]: value ?? "" }), {
      code: "MODTS_BAD_OPTION",
      message,
    });
  }
});
