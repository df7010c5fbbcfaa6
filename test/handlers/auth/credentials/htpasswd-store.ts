import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { HtpasswdStore } from "../../../../src/handlers/auth/credentials/htpasswd-store.ts";
import { subscribeLog } from "../../../fixtures/subscribe-log.ts";

const sha = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";
const bcrypt = "$2y$05$2he4puEou6qTB/3fOjRlxupdYaVdKeo3YADouiYoxbKxUqIiGgImu";
const folder = t.testdir({
  one: `\ufeff# users\r\njohn:${sha}\r\n\r\nann:${bcrypt}:ignored\nbea:${bcrypt} \njohn:${bcrypt}\n:${sha}\nalone\ncrypt:ab01FAX.bQRSU\n`,
  two: `john:${bcrypt}\nlocked:${sha}\n__proto__:${sha}\n`,
  lock: "locked:!\n",
});
const path = (name: string): string => join(folder, name);

t.test("users of several files, the first entry counts", async (t) => {
  let log = "";
  t.teardown(subscribeLog("debug", (text) => (log += text)));
  const store = new HtpasswdStore([path("one"), path("lock"), path("two")]);
  t.equal(await store.find("john"), sha);
  t.equal(await store.find("ann"), bcrypt);
  t.equal(await store.find("bea"), bcrypt);
  t.equal(await store.find("__proto__"), sha);
  for (const nobody of ["", "John", "john ", "# users", "toString"]) {
    t.equal(await store.find(nobody), undefined, nobody);
  }
  for (const name of ["locked", "crypt", "alone"]) {
    const hash = await store.find(name);
    t.notOk(hash !== undefined && store.accepts(hash), `${name} cannot log in`);
  }
  t.match(log, /one line 8, 9: nobody can log in/);
  t.notMatch(log, /ab01FAX|alone/);
});

t.test("one hash of each kind, of the most frequent ones", async (t) => {
  const decoysOf = async (...names: string[]): Promise<string[]> => {
    const store = new HtpasswdStore(names.map(path));
    await store.find("nobody");
    return [...store.decoys()];
  };
  t.strictSame(await decoysOf("one"), [bcrypt, sha]);
  t.strictSame(await decoysOf("one", "two"), [bcrypt, sha]);
  t.match(await decoysOf("lock"), [/^\$argon2id\$/]);
  const costs = ["04", "06", "07", "08"].map((cost) => bcrypt.replace("05", cost));
  writeFileSync(
    path("many"),
    [bcrypt, bcrypt, ...costs].map((hash, n) => `${n}:${hash}`).join("\n"),
  );
  t.strictSame(await decoysOf("many"), [bcrypt, ...costs.slice(0, 3)]);
});

t.test("one missing file, and nobody is known", async (t) => {
  const store = new HtpasswdStore([path("one"), path("gone")]);
  await t.rejects(store.find("john"), { code: "MODTS_USERS_UNREADABLE" });
  writeFileSync(path("gone"), "");
  t.equal(await store.find("john"), sha);
});

t.test("stores differ by their files", async (t) => {
  t.not(new HtpasswdStore(["/a", "/b"]).name, new HtpasswdStore(["/b", "/a"]).name);
});
