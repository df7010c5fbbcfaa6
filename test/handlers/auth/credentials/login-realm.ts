import { join } from "node:path";
import t, { type Test } from "tap";
import { LoginRealm } from "../../../../src/handlers/auth/credentials/login-realm.ts";
import { Stores } from "../../../../src/handlers/auth/credentials/stores.ts";

function realmOf(t: Test, more: Record<string, string> = {}, run = "run"): LoginRealm {
  const folder = t.testdirName ?? "";
  const options = {
    "mod_ts.login.location": "/login",
    "mod_ts.login.store": "htpasswd",
    "mod_ts.htpasswd.file": "users",
    ...more,
  };
  const directories = { run: "/none", directory: folder, state: join(folder, run) };
  return new LoginRealm(options, new Stores(folder), directories);
}

t.test("a session is found while nothing speaks against it", async (t) => {
  t.testdir({ users: "john:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n" });
  const realm = realmOf(t);
  const hash = (await realm.verifier.verify("john", "secret")).hash ?? "";
  const session = realm.sessions.begin("john", hash);
  const cookie = realm.sessions.format(session);
  t.equal((await realm.findSession(["x", cookie]))?.user, "john");
  t.equal((await realmOf(t).findSession([cookie]))?.user, "john", "in another process");
  t.equal(await realm.findSession([]), undefined);
  const elsewhere = realmOf(t, { "mod_ts.login.location": "/other" });
  t.equal(await elsewhere.findSession([cookie]), undefined);
  const others = realmOf(t, { "mod_ts.htpasswd.file": "users users" });
  t.equal(await others.findSession([cookie]), undefined, "with another store");
  await realm.ended.add(session.id, realm.sessions.lastMoment(session));
  t.equal(await realm.findSession([cookie]), undefined);
});

t.test("sidecars that share a folder share sessions and their ends", async (t) => {
  t.testdir({ users: "john:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n" });
  const state = { "mod_ts.login.state": "state" };
  const [one, two] = [realmOf(t, state, "one"), realmOf(t, state, "two")];
  const session = one.sessions.begin(
    "john",
    (await one.verifier.verify("john", "secret")).hash ?? "",
  );
  const cookie = one.sessions.format(session);
  t.equal((await two.findSession([cookie]))?.user, "john");
  t.equal(await realmOf(t, {}, "two").findSession([cookie]), undefined, "without: a key each");
  await one.ended.add(session.id, one.sessions.lastMoment(session));
  t.equal(await two.findSession([cookie]), undefined);
});

t.test("mistakes name their option", async (t) => {
  t.testdir({ users: "" });
  for (const [key, value] of [
    ["location", "//evil.example"],
    ["location", "login"],
    ["store", "ldap"],
    ["secure", "yes"],
    ["attempts", "0"],
    ["ended", "http://127.0.0.1"],
    ["ended_file", "nowhere"],
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
