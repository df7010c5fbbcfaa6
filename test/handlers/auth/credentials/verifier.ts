import crypto from "node:crypto";
import { writeFileSync } from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { HtpasswdStore } from "../../../../src/handlers/auth/credentials/htpasswd-store.ts";
import { createSqlStore } from "../../../../src/handlers/auth/credentials/sql-store.ts";
import type { UserStore } from "../../../../src/handlers/auth/credentials/verifier.ts";
import { Verifier } from "../../../../src/handlers/auth/credentials/verifier.ts";

const sha = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";
const bcrypt = "$2y$05$2he4puEou6qTB/3fOjRlxupdYaVdKeo3YADouiYoxbKxUqIiGgImu";

const hashes = {
  sha,
  bcrypt,
  cost6: "$2b$06$GDPyZYC8SFM1x2AstRCjguAxO3zYjPhJxZl1VTcuGzVWBIVBVpHKe",
  apr1: "$apr1$abcdefgh$sTIy6xl9fN5ki2BqhYqqM1",
  argon2:
    "$argon2id$v=19$m=64,t=1,p=1$bW9kX3RzIHN0cmFuZ2Vy$bm9ib2R5J3MgcGFzc3dvcmQgZ2l2ZXMgdGhpcyBoYXM",
  md5: "5ebe2294ecd0e0f08eab7690d2a6ee69",
  plain: "secret",
};
type Kind = keyof typeof hashes;

/** What is computed: the real functions report their calls. Before anything imports the packages. */
const computed: string[] = [];
function observe(module: object, name: string, kindOf: (...args: string[]) => string): void {
  const real = Reflect.get(module, name) as (...args: string[]) => unknown;
  Reflect.set(module, name, (...args: string[]) => {
    computed.push(kindOf(...args));
    return real(...args);
  });
}
const require = createRequire(import.meta.url);
observe(require("@node-rs/bcrypt") as object, "verify", (_, hash = "") => hash.slice(4, 6));
observe(require("@node-rs/argon2") as object, "verify", () => "argon2");
observe(crypto, "createHash", (algorithm = "") => algorithm);
syncBuiltinESMExports();

/** A store in memory. */
class MemoryStore implements UserStore {
  readonly name = "memory";
  readonly users: Map<string, string>;
  asked = 0;
  sampled = 0;
  accepted: (hash: string) => boolean = () => true;
  replace?: (user: string, old: string, hash: string) => Promise<void>;

  constructor(users: Record<string, string>) {
    this.users = new Map(Object.entries(users));
  }
  async find(user: string): Promise<string | undefined> {
    this.asked += 1;
    return this.users.get(user);
  }
  decoys(): Iterable<string> {
    this.sampled += 1;
    return [bcrypt];
  }
  accepts(hash: string): boolean {
    return this.accepted(hash);
  }
  async close(): Promise<void> {}
}

t.test("right, wrong, unknown", async (t) => {
  const store = new MemoryStore({ john: sha });
  const verifier = new Verifier(store, 0);
  t.equal((await verifier.verify("john", "secret")).hash, sha);
  t.equal(store.sampled, 0);
  t.equal((await verifier.verify("john", "wrong")).hash, undefined);
  t.equal(store.sampled, 1);
  t.equal((await verifier.verify("nobody", "secret")).hash, undefined, "though it fits the decoy");
  t.equal(store.sampled, 2);
  t.equal(await verifier.find("john"), sha);
  t.equal(await verifier.find("nobody"), undefined);
});

t.test("a hash that does not count is as good as none", async (t) => {
  const store = new MemoryStore({ john: sha });
  store.accepted = () => false;
  const verifier = new Verifier(store, 60);
  t.equal((await verifier.verify("john", "secret")).hash, undefined);
  t.equal(store.sampled, 1);
  t.equal(await verifier.find("john"), undefined);
});

t.test("a refusal computes the same hashes for every name", async (t) => {
  const folder = t.testdir({});
  const file = join(folder, "users");
  const mixes: Kind[][] = [
    ["bcrypt", "bcrypt"],
    ["sha", "sha", "bcrypt"],
    ["bcrypt", "cost6", "cost6"],
    ["bcrypt", "bcrypt", "sha", "apr1"],
    ["argon2", "sha", "bcrypt", "plain"],
    ["argon2", "md5", "md5"],
    ["plain"],
  ];
  for (const [n, kinds] of mixes.entries()) {
    writeFileSync(`${file}${n}`, kinds.map((kind, at) => `u${at}:${hashes[kind]}\n`).join(""));
    const database = new DatabaseSync(`${file}${n}.db`);
    database.exec("CREATE TABLE users (name, password)");
    const insert = database.prepare("INSERT INTO users VALUES (?, ?)");
    for (const [at, kind] of kinds.entries()) insert.run(`u${at}`, hashes[kind]);
    database.close();
    const options = { "mod_ts.sql.dsn": `sqlite:${file}${n}.db`, "mod_ts.sql.legacy": "md5 sha1" };
    const stores = [new HtpasswdStore([`${file}${n}`]), createSqlStore(options, folder)];
    for (const store of stores) {
      t.teardown(() => store.close());
      const verifier = new Verifier(store, 0);
      const users = [...kinds.keys()].map((at) => `u${at}`);
      const cost = async (user: string): Promise<string> => {
        computed.length = 0;
        t.not((await verifier.verify(user, "wrong")).result, "right");
        return computed.toSorted().join(" ");
      };
      // What a table holds is known from its users.
      for (const user of users) await cost(user);
      const unknown = await cost("nobody");
      t.not(unknown, "");
      for (const user of users) t.equal(await cost(user), unknown, `${store.name}, ${user}`);
    }
  }
});

t.test("names that could do harm are not even asked for", async (t) => {
  const store = new MemoryStore({ "a\nb": sha, "": sha });
  const verifier = new Verifier(store, 60);
  for (const name of ["", "a\nb", "a\0", "\x7f", "x".repeat(256)]) {
    t.equal((await verifier.verify(name, "secret")).hash, undefined);
    t.equal(await verifier.find(name), undefined);
  }
  t.equal(store.asked, 0);
});

t.test("a right password is remembered, but the store has the last word", async (t) => {
  const store = new MemoryStore({ john: bcrypt });
  const verifier = new Verifier(store, 60);
  t.equal((await verifier.verify("john", "secret")).hash, bcrypt);
  // More than may wait for a hash at a time: only what is remembered can be all of them.
  const many = await Promise.all(
    Array.from({ length: 200 }, () => verifier.verify("john", "secret")),
  );
  t.ok(many.every(({ hash }) => hash === bcrypt));
  t.equal(store.asked, 201);
  t.equal((await verifier.verify("john", "secret2")).hash, undefined);
  store.users.set("ann", bcrypt);
  t.equal(
    (await verifier.verify("ann", "wrong")).hash,
    undefined,
    "what is remembered belongs to one name",
  );
  store.users.set("john", sha.replace("5e", "6e"));
  t.equal((await verifier.verify("john", "secret")).hash, undefined, "a changed password");
  store.users.delete("john");
  t.equal((await verifier.verify("john", "secret")).hash, undefined, "a removed user");
});

t.test("older hashes are renewed, and a login does not depend on it", async (t) => {
  const store = new MemoryStore({ john: sha });
  store.replace = async (user, old, hash) => {
    if (store.users.get(user) === old) store.users.set(user, hash);
  };
  const verifier = new Verifier(store, 60);
  t.equal((await verifier.verify("john", "wrong")).hash, undefined);
  t.equal(store.users.get("john"), sha, "a wrong password renews nothing");
  const [one, two] = await Promise.all([
    verifier.verify("john", "secret"),
    verifier.verify("john", "secret"),
  ]);
  t.match(one.hash, /^\$argon2id\$/);
  t.same(one, two, "of two at once the one that is stored counts");
  t.equal(store.users.get("john"), one.hash);
  t.equal((await verifier.verify("john", "secret")).hash, one.hash, "and is not renewed again");
  store.users.set("john", sha);
  store.replace = () => Promise.reject(new Error("read-only"));
  t.equal((await verifier.verify("john", "secret")).hash, sha);
});

t.test("a store that cannot say says no to nobody: it rejects", async (t) => {
  const store = new MemoryStore({});
  store.find = () => Promise.reject(new Error("down"));
  const verifier = new Verifier(store, 60);
  await t.rejects(verifier.verify("john", "secret"), /down/);
  await t.rejects(verifier.find("john"), /down/);
});

t.test("a wrong password is a guess once", async (t) => {
  const store = new MemoryStore({ john: bcrypt });
  const verifier = new Verifier(store, 60);
  let guesses = 0;
  const verify = async (user: string, password: string, may = true): Promise<string> => {
    return (await verifier.verify(user, password, () => ((guesses += 1), may))).result;
  };
  for (const [user, password, result] of [
    ["john", "wrong", "wrong"],
    ["john", "wrong", "wrong"],
    ["nobody", "x", "unknown"],
    ["nobody", "x", "unknown"],
    ["john", "secret", "right"],
    ["john", "secret", "right"],
  ] as const) {
    t.equal(await verify(user, password), result);
  }
  t.equal(guesses, 4, "a cached right password asks, too");
  t.equal(await verify("john", "other", false), "limited");
  t.equal(await verify("john", "secret", false), "limited");
  store.users.set("nobody", bcrypt);
  t.equal(await verify("nobody", "secret"), "right", "a new user");
});
