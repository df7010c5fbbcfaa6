import { join } from "node:path";
import t from "tap";
import { loadPackage, requireVersion } from "../../src/base/optional-package.ts";

t.test(
  "beside mod_ts, or in the folder of the application, or an error that says what to do",
  async (t) => {
    const folder = t.testdir({
      node_modules: {
        "only-here": { "package.json": '{"main":"index.js"}', "index.js": "exports.here = true;" },
        broken: {
          "package.json": '{"main":"index.js"}',
          "index.js": "throw new Error('no binary');",
        },
      },
    });
    t.ok((await loadPackage<{ default: { Pool: unknown } }>("pg", "x")).default.Pool);
    t.match(await loadPackage("only-here", "x", folder), { here: true });
    await t.rejects(loadPackage("only-here", "a test", join(folder, "..")), {
      code: "MODTS_PACKAGE_MISSING",
      message: /a test requires the package only-here; run npm install only-here/,
    });
    await t.rejects(loadPackage("broken", "x", folder), {
      code: "MODTS_PACKAGE_MISSING",
      cause: { message: "no binary" },
    });
  },
);

t.test("a package that is too old is an error with both versions", async (t) => {
  const pg = (version: string) => ({ "package.json": JSON.stringify({ version }) });
  const folder = t.testdir({
    old: { node_modules: { pg: pg("7.18.2") } },
    new: { node_modules: { pg: pg("8.0.0") } },
  });
  const check = (place: string) =>
    requireVersion("pg", join(folder, place, "node_modules/pg/lib/index.js"), "a test");
  t.throws(() => check("old"), {
    code: "MODTS_PACKAGE_OLD",
    message: "a test requires pg 8 or newer, found 7.18.2; run npm install pg@latest",
  });
  t.doesNotThrow(() => check("new"), "the first supported version");
  t.doesNotThrow(() => requireVersion("pg", "/linked/pg/index.js", "a test"), "a linked package");
});
