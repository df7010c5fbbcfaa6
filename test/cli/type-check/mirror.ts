import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { mirrorPages, nearest } from "../../../src/cli/type-check/mirror.ts";

t.test("each page becomes a module, in another folder", async (t) => {
  const folder = t.testdir({
    root: {
      "a.tsp": "a",
      "b.ts": "",
      "c.txt": "",
      "bad.tsp": "<% ",
      sub: { "d.tsp": "<%= 1 %>", "e.mts": "" },
      ".hidden": { "f.tsp": "" },
      node_modules: { g: { "h.ts": "", "h.tsp": "" } },
    },
    mirror: {},
  });
  const [root, mirror] = [join(folder, "root"), join(folder, "mirror")];
  symlinkSync(root, join(root, "circle"));
  const { pages, modules, failures } = mirrorPages(root, mirror);
  t.same([...pages.keys()].toSorted(), ["a.tsp", "bad.tsp", "sub/d.tsp"]);
  t.same(modules.toSorted(), ["b.ts", "sub/e.mts"]);
  t.match(failures, [{ file: join(root, "bad.tsp"), line: 1, column: 1 }]);
  t.match(readFileSync(join(mirror, "sub/d.tsp.ts"), "utf8"), "$e((");
  t.match(readFileSync(join(mirror, "bad.tsp.ts"), "utf8"), "$render: any");
  t.same(readdirSync(join(mirror, "node_modules")), ["g"], "packages are found from there");
});

t.test("the nearest file upwards, up to the folder of the package", async (t) => {
  const folder = t.testdir({
    "tsconfig.json": "",
    app: { "package.json": "", handlers: {}, inner: { "tsconfig.json": "", pages: {} } },
  });
  t.equal(
    nearest(join(folder, "app/inner/pages"), "tsconfig.json"),
    join(folder, "app/inner/tsconfig.json"),
  );
  t.equal(nearest(join(folder, "app/handlers"), "tsconfig.json"), undefined);
  t.equal(nearest(join(folder, "app/handlers"), "package.json"), join(folder, "app/package.json"));
});
