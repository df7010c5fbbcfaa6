/** From a name to a module: the folders, what lies outside, what is built in. */
import { mkdirSync, realpathSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { HandlerModule } from "../../src/engine/handler.ts";
import { createResolver, requireInside } from "../../src/engine/directives.ts";

const folder = realpathSync(
  t.testdir({
    one: { "a.ts": "", sub: { "b.ts": "" } },
    two: { "a.ts": "", "c.ts": "" },
    "d.ts": "",
  }),
);
const roots = [join(folder, "one"), join(folder, "two")];

function moduleOf(file: string): HandlerModule {
  return { exports: {}, file, generation: 1, release() {} };
}

const resolve = createResolver({
  roots,
  load: (file) => moduleOf(file),
  builtins: { "test-page": { handler: () => 0 }, refresh: {} },
});

const fileOf = async (name: string): Promise<string> => (await resolve(name, "handler")).file;

t.test("a relative name is looked up in the folders, the first one first", async (t) => {
  t.equal(await fileOf("a.ts"), join(folder, "one/a.ts"));
  t.equal(await fileOf("c.ts"), join(folder, "two/c.ts"));
  t.equal(await fileOf("sub/b.ts"), join(folder, "one/sub/b.ts"));
  t.equal(await fileOf("./sub/../a.ts"), join(folder, "one/a.ts"));
});

t.test("an absolute name, inside a folder", async (t) => {
  t.equal(await fileOf(join(folder, "two/a.ts")), join(folder, "two/a.ts"));
});

t.test(
  "a name that leads outside, by dots, as absolute path, or to a folder whose name begins alike",
  async (t) => {
    mkdirSync(join(folder, "one-more"), { recursive: true });
    writeFileSync(join(folder, "one-more/e.ts"), "");
    const names = [
      "../d.ts",
      "sub/../../d.ts",
      join(folder, "d.ts"),
      "/etc/passwd",
      "../one-more/e.ts",
    ];
    for (const name of [
      ...names,
      join(folder, "one-more/e.ts"),
      join(folder, "one/../d.ts"),
      ".",
      "",
    ]) {
      t.throws(() => resolve(name, "handler"), { code: "MODTS_OUTSIDE_ROOTS" }, name);
    }
  },
);

t.test("a file that does not exist yet is found once it does", async (t) => {
  const pattern = {
    code: "MODTS_HANDLER_NOT_FOUND",
    message: /new\.ts not found in /,
  };
  t.throws(() => resolve("new.ts", "handler"), pattern);
  writeFileSync(join(folder, "two/new.ts"), "");
  t.equal(await fileOf("new.ts"), join(folder, "two/new.ts"));
});

t.test("the file that is loaded lies inside by its real path", async (t) => {
  const outside = { code: "MODTS_OUTSIDE_ROOTS" };
  t.throws(() => requireInside(join(folder, "d.ts"), roots), outside);
  t.doesNotThrow(() => requireInside(join(folder, "two/a.ts"), roots));
  t.doesNotThrow(() => requireInside("/anything.ts", ["/"]));
  t.throws(() => requireInside("/anything.ts", []), outside);
});

t.test("a folder that is a symbolic link is where it points to now", async (t) => {
  const current = join(folder, "current");
  symlinkSync(join(folder, "one"), current);
  t.doesNotThrow(() => requireInside(join(folder, "one/a.ts"), [current]));
  symlinkSync(join(folder, "two"), `${current}.new`);
  renameSync(`${current}.new`, current);
  t.throws(() => requireInside(join(folder, "one/a.ts"), [current]), {
    code: "MODTS_OUTSIDE_ROOTS",
  });
  t.doesNotThrow(() => requireInside(join(folder, "two/a.ts"), [current]));
  t.throws(() => requireInside(join(folder, "d.ts"), [join(folder, "nowhere")]), {
    code: "MODTS_OUTSIDE_ROOTS",
  });
});

t.test("what is built in", async (t) => {
  const module = await resolve("mod_ts/test-page", "handler");
  t.match(module, { file: "mod_ts/test-page", generation: 0 });
  t.doesNotThrow(() => module.release());
  for (const name of ["mod_ts/none", "mod_ts/", "mod_ts/../a.ts", "mod_ts/constructor"]) {
    t.throws(() => resolve(name, "handler"), {
      code: "MODTS_UNKNOWN_BUILTIN",
      message: /expected one of mod_ts\/test-page, mod_ts\/refresh/,
    });
  }
});

t.test("the name that is going to be looked up reaches the loader", async (t) => {
  const asked: string[] = [];
  const load = (file: string, name: string): HandlerModule => (asked.push(name), moduleOf(file));
  await createResolver({ roots, load, builtins: {} })("a.ts", "accessHandler");
  t.strictSame(asked, ["accessHandler"]);
});
