import { join } from "node:path";
import t from "tap";
import { findTypeScript } from "../../src/type-check/find-typescript.ts";

const manifest = (version: string): string =>
  JSON.stringify({ version, bin: { tsc: "./bin/tsc.js" } });

t.test("the compiler of the application comes first", async (t) => {
  const folder = t.testdir({
    app: {},
    node_modules: {
      typescript: { "package.json": manifest("5.9.0") },
      "@types": { node: { "package.json": "{}" } },
    },
  });
  t.same(findTypeScript(join(folder, "app")), {
    tsc: join(folder, "node_modules/typescript/bin/tsc.js"),
    typeRoot: join(folder, "node_modules/@types"),
  });
});

t.test("then the one beside mod_ts", async (t) => {
  const found = findTypeScript("/");
  t.match(found, { tsc: /node_modules\/typescript\/bin\/tsc$/, typeRoot: /@types$/ });
});
