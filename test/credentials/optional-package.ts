import { join } from "node:path";
import t from "tap";
import { loadPackage } from "../../src/credentials/optional-package.ts";

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
      message: /a test needs the package only-here: npm install only-here/,
    });
    await t.rejects(loadPackage("broken", "x", folder), {
      code: "MODTS_PACKAGE_MISSING",
      cause: { message: "no binary" },
    });
  },
);
