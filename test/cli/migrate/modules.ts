import { join } from "node:path";
import t from "tap";
import { findModule, Modules, pathsOf } from "../../../src/cli/migrate/modules.ts";
import { phases } from "../../../src/cli/migrate/python-directives.ts";

const handler = phases["pythonhandler"]!;
const access = phases["pythonaccesshandler"]!;

t.test("modules and packages are found", (t) => {
  const folder = t.testdir({ "a.py": "", pack: { "__init__.py": "", "inner.py": "" } });
  t.equal(findModule("a", ["/nowhere", folder]), join(folder, "a.py"));
  t.equal(findModule("pack", [folder]), join(folder, "pack/__init__.py"));
  t.equal(findModule("pack.inner", [folder]), join(folder, "pack/inner.py"));
  t.equal(findModule(join(folder, "a.py"), []), join(folder, "a.py"));
  t.equal(findModule("none", [folder]), undefined);
  t.end();
});

t.test("directories of a PythonPath", (t) => {
  t.same(pathsOf("['/a', '/b/c'] + sys.path"), ["/a", "/b/c"]);
  t.same(pathsOf('sys.path + ["/a"]'), ["/a"]);
  t.same(pathsOf("sys.path + ['relative']"), []);
  t.end();
});

t.test("one module, one file; two modules of a name, two files", (t) => {
  const folder = t.testdir({ one: { "h.py": "" }, two: { "h.py": "" } });
  const modules = new Modules();
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  t.equal(modules.reference("h", handler, [one]), "h.ts");
  t.equal(modules.reference("h", access, [one]), "h.ts");
  t.equal(modules.reference("h::x.y", handler, [two]), "two/h.ts::x.y");
  t.equal(modules.reference("trac.web", handler, []), "trac/web.ts");
  t.equal(modules.reference("mod_python.publisher", handler, []), "mod_ts/publisher");
  t.equal(modules.filter("h", [one], "output"), "h.ts");
  t.equal(modules.preload("h", "start", [one]), "h.ts");
  t.same(
    modules.needed.map(({ file, exports }) => [file, exports.map(({ path }) => path)]),
    [
      ["h.ts", ["handler", "accessHandler", "outputFilter", "start"]],
      ["two/h.ts", ["x.y"]],
      ["trac/web.ts", ["handler"]],
    ],
  );
  t.end();
});

t.test("a name is a name, whoever wrote it", (t) => {
  const modules = new Modules();
  t.equal(modules.reference("h::f(){}go();function(g", handler, []), "h.ts::f____go___function_g");
  t.equal(modules.reference("toString", handler, []), "toString.ts");
  t.end();
});
