/** Files that are nobody's to call. */
import t from "tap";
import {
  isPlainData,
  isPrivate,
  isPrivateExport,
  isPrivateFile,
  isPrivatePlain,
} from "../../../src/handlers/publisher/private.ts";

t.test("by the name, the package, the hidden folder", async (t) => {
  const is = (file: string, uri = "/a"): boolean => isPrivateFile(file, () => uri);
  t.ok(is("/srv/pub/_a.ts"));
  t.ok(is("/srv/pub/node_modules/a/b.js"));
  t.ok(is("/srv/pub/.git/a.js", "/pub/.git/a"));
  t.notOk(is("/srv/.sites/pub/a.ts", "/pub/a"), "hidden above what is published");
  t.notOk(is("/srv/pub/.well-known/a.ts", "/.well-known/a"));
  t.ok(is("/srv/pub/.well-known-not/a.ts", "/.well-known-not/a"));
  t.notOk(is("/srv/_pub/a.ts"));
  t.notOk(is("/srv/pub/a_b.ts"));
});

t.test("what is no module, and no plain file either", async (t) => {
  const is = (file: string, uri = "/a"): boolean => isPrivatePlain(file, () => uri);
  for (const name of [
    "a.js~",
    "a.js.bak",
    "a.js.~1~",
    "a.js___jb_tmp___",
    "a.js.bak2",
    "a.js-old",
    "a.mjs.rpmsave",
    "a.mjs.swp",
    "a.cjs",
    "a.jsx",
    ".js",
    "a.ts",
    "b.tsp~",
  ])
    t.ok(is(`/srv/pub/${name}`), name);
  for (const name of ["a.css", "a.json", "_a.png", "js", "ajs", "a-js.png", "notes-ts.html"])
    t.notOk(is(`/srv/pub/${name}`), name);
  t.ok(is("/srv/pub/node_modules/a/package.json"));
  t.ok(is("/srv/pub/.git/config", "/pub/.git/config"));
  t.notOk(is("/srv/pub/.well-known/security.txt", "/.well-known/security.txt"));
});

t.test("in any object: an underscore, and guards", async (t) => {
  for (const name of ["_", "_a", "__proto__", "auth", "access", "realm"]) {
    t.ok(isPrivate(name), name);
    t.ok(isPrivateExport(name), name);
  }
  for (const name of ["a", "a_", "author", "constructor", ""]) t.notOk(isPrivate(name), name);
});

t.test("in a module: what somebody else looks for, too", async (t) => {
  for (const name of ["handler", "authenHandler", "cleanupHandler", "webSocketHandler"]) {
    t.ok(isPrivateExport(name), name);
    t.notOk(isPrivate(name), name);
  }
  for (const name of ["default", "then", "dispose", "parameters"]) t.ok(isPrivateExport(name));
  for (const name of ["index", "handlers", "toString"]) t.notOk(isPrivateExport(name), name);
});

t.test("text, numbers, and plain objects and lists of them", async (t) => {
  const bare = Object.assign(Object.create(null), { a: 1 }) as object;
  for (const value of ["", 0, true, 1n, null, undefined, {}, [], [[1, { a: [null] }]], bare]) {
    t.ok(isPlainData(value));
  }
  const shared = { a: 1 };
  t.ok(isPlainData([shared, shared]), "twice is no circle");
});

t.test("nothing that a URL of its own would not give", async (t) => {
  class Shop {
    open = true;
  }
  const circle: unknown[] = [];
  circle.push({ circle });
  for (const [name, value] of Object.entries({
    function: () => 1,
    symbol: Symbol("s"),
    instance: new Shop(),
    date: new Date(0),
    map: new Map(),
    buffer: Buffer.from("a"),
    proxy: new Proxy({}, {}),
    getter: {
      get a() {
        return 1;
      },
    },
    method: { a: () => 1 },
    private: { a: { _b: 1 } },
    guard: { a: { auth: {}, b: 1 } },
    nested: [new Shop()],
    circle,
    inherited: Object.create({ a: 1 }) as object,
    toJSON: { toJSON: () => 1 },
  })) {
    t.notOk(isPlainData(value), name);
  }
});
