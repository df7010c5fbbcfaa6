import { join } from "node:path";
import t from "tap";
import { readStoreAddress } from "../../src/sessions/open-store.ts";
import type { StoreAddress } from "../../src/sessions/session-store.ts";

const read = (values: Record<string, string>, workers = 1): StoreAddress => {
  const options = Object.entries(values).map(([key, value]) => [`mod_ts.session.${key}`, value]);
  return readStoreAddress(Object.fromEntries(options), {
    directory: "/etc/site",
    state: "/run/x",
    workers,
  });
};

t.test("files", async (t) => {
  t.match(read({}), { kind: "sqlite", source: "/run/x/sessions.db", title: "/run/x/sessions.db" });
  t.match(read({ store: "sqlite" }, 8), { source: "/run/x/sessions.db" });
  t.match(read({ store: "sqlite:a/b.db" }), { source: "/etc/site/a/b.db" });
  t.match(read({ store: "sqlite:/var/b.db" }), { source: "/var/b.db" });
  t.match(read({ store: "sqlite:///var/b.db" }), { source: "/var/b.db" });
});

t.test("servers, and never a password in the title", async (t) => {
  const cases = {
    "redis://:secret@r.example:6380/2": ["redis", "redis://r.example:6380/2"],
    "rediss://r.example": ["redis", "rediss://r.example"],
    "mysql://web:secret@db/site": ["mysql", "mysql://db/site"],
    "mariadb://web:secret@db:3307/site": ["mysql", "mariadb://db:3307/site"],
    "postgres://web:secret@db/site": ["postgres", "postgres://db/site"],
    "postgresql://web:secret@db/site": ["postgres", "postgresql://db/site"],
  };
  for (const [store, [kind, title]] of Object.entries(cases)) {
    const address = read({ store, table: "app.sessions" });
    t.match(address, { kind, title, table: "app.sessions" });
    t.equal(address.source, store.replace("mariadb:", "mysql:"));
  }
});

t.test("from a file of its own", async (t) => {
  const folder = t.testdir({ store: "redis://:secret@db\n" });
  t.match(read({ store_file: join(folder, "store") }), { source: "redis://:secret@db" });
  t.throws(() => read({ store_file: join(folder, "none") }), {
    code: "MODTS_BAD_OPTION",
    message: /mod_ts.session.store_file: ENOENT/,
  });
});

t.test("memory is for one process", async (t) => {
  t.match(read({ store: "memory" }), { kind: "memory" });
  t.throws(() => read({ store: "memory" }, 2), { code: "MODTS_BAD_OPTION", message: /2 workers/ });
});

t.test("mistakes, without the value: it may hold a password", async (t) => {
  const bad = [
    "",
    "file",
    "sqlite:",
    "http://web:secret@db",
    "redis",
    "mysql",
    "constructor://x",
    "secret",
  ];
  for (const store of bad) {
    const message = /^(?!.*secret).*store: must be sqlite/;
    t.throws(() => read({ store }), { code: "MODTS_BAD_OPTION", message }, store);
  }
  for (const table of ["a b", "a;b", "a.b.c", "", '"a"', "1a", "x".repeat(64)]) {
    t.throws(() => read({ store: "mysql://db/site", table }), { message: /table: must be/ }, table);
  }
});
