import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";

const hooks = join(import.meta.dirname, "../../src/loader/thread-hooks.ts");

t.test("files of packages and JavaScript stay Node's", (t) => {
  const folder = t.testdir({
    "a.ts": 'import { b } from "./b";\nimport p from "p";\nconsole.log(b, p.c);',
    "b.ts": "export enum B { x = 3 }\nexport const b = B.x;",
    node_modules: {
      p: { "index.js": 'exports.c = require("./c");', "c.js": "module.exports = 4;" },
    },
  });
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", hooks, join(folder, "a.ts")],
    {
      encoding: "utf8",
    },
  );
  t.equal(stdout, "3 4\n", stderr);
  t.end();
});
