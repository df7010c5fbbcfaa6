/** Files that are nobody's to call. */
import t from "tap";
import { isPrivateFile, isPrivatePlain } from "../../src/publisher/private-file.ts";

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
  for (const name of ["a.css", "a.json", "_a.png", "js", "ajs", "a.js.png", "notes.ts.html"])
    t.notOk(is(`/srv/pub/${name}`), name);
  t.ok(is("/srv/pub/node_modules/a/package.json"));
  t.ok(is("/srv/pub/.git/config", "/pub/.git/config"));
  t.notOk(is("/srv/pub/.well-known/security.txt", "/.well-known/security.txt"));
});
