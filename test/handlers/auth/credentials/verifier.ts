import t from "tap";
import type { UserStore } from "../../../../src/handlers/auth/credentials/verifier.ts";
import { Verifier } from "../../../../src/handlers/auth/credentials/verifier.ts";

const sha = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";
const bcrypt = "$2y$05$2he4puEou6qTB/3fOjRlxupdYaVdKeo3YADouiYoxbKxUqIiGgImu";

/** A store in memory. */
class MemoryStore implements UserStore {
  readonly name = "memory";
  readonly users: Map<string, string>;
  asked = 0;
  decoys = 0;
  accepted: (hash: string) => boolean = () => true;
  replace?: (user: string, old: string, hash: string) => Promise<void>;

  constructor(users: Record<string, string>) {
    this.users = new Map(Object.entries(users));
  }
  async find(user: string): Promise<string | undefined> {
    this.asked += 1;
    return this.users.get(user);
  }
  decoy(): string {
    this.decoys += 1;
    return bcrypt;
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
  t.equal((await verifier.verify("john", "wrong")).hash, undefined);
  t.equal(store.decoys, 0);
  t.equal((await verifier.verify("nobody", "secret")).hash, undefined, "though it fits the decoy");
  t.equal(store.decoys, 1, "an unknown name costs a comparison, too");
  t.equal(await verifier.find("john"), sha);
  t.equal(await verifier.find("nobody"), undefined);
});

t.test("a hash that does not count is as good as none", async (t) => {
  const store = new MemoryStore({ john: sha });
  store.accepted = () => false;
  const verifier = new Verifier(store, 60);
  t.equal((await verifier.verify("john", "secret")).hash, undefined);
  t.equal(store.decoys, 1);
  t.equal(await verifier.find("john"), undefined);
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
