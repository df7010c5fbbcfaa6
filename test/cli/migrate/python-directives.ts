import t from "tap";
import { parseSource } from "../../../src/httpd/config-source.ts";
import {
  activationOf,
  asksForPython,
  isPython,
  phaseOf,
  phases,
  readHandlers,
} from "../../../src/cli/migrate/python-directives.ts";
import { defaultNames } from "../../../src/engine/handler.ts";
import { confFile } from "../../fixtures/httpd.ts";
import { readFileSync } from "node:fs";

const one = (line: string): ReturnType<typeof parseSource>[number] => parseSource(line, "/a")[0]!;

t.test("handlers add up, and those for extensions are lists of their own", (t) => {
  const { plain, byExtension } = readHandlers(["a b::c", "d | .x .y", "e|.x", "f"]);
  t.same(plain, ["a", "b::c", "f"]);
  t.same(
    [...byExtension],
    [
      [".x", ["d", "e"]],
      [".y", ["d"]],
    ],
  );
  t.end();
});

t.test("what gives files to mod_python", (t) => {
  t.equal(activationOf(one("SetHandler mod_python")), "all");
  t.equal(activationOf(one('sethandler "python-program"')), "all");
  t.same(activationOf(one("AddHandler mod_python .py psp")), [".py", ".psp"]);
  t.equal(activationOf(one("SetHandler None")), undefined);
  t.equal(activationOf(one("AddHandler cgi-script .py")), undefined);
  t.end();
});

t.test("lines that are there because of mod_python", (t) => {
  for (const line of ["PythonOption a b", "pythondebug on", "LoadModule python_module x.so"]) {
    t.ok(isPython(one(line)), line);
  }
  for (const line of ["LoadModule proxy_module x.so", "SetHandler None"])
    t.notOk(isPython(one(line)), line);
  t.ok(asksForPython(one("<IfModule mod_python.c>")));
  t.notOk(asksForPython(one("<IfModule !mod_python.c>")));
  t.end();
});

t.test("the exports and macros exist", (t) => {
  const conf = readFileSync(confFile, "utf8");
  const exports: string[] = Object.values(defaultNames);
  for (const { name, macro } of Object.values(phases)) {
    t.ok(exports.includes(name), name);
    t.match(conf, `<Macro ${macro} `);
  }
  t.equal(phaseOf(one("PythonFixupHandler a"))?.python, "fixuphandler");
  t.end();
});
