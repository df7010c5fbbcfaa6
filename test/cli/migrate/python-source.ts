import { join } from "node:path";
import t from "tap";
import { functionNames, readPython } from "../../../src/cli/migrate/python-source.ts";

t.test("functions with their parameters, whatever is in strings and comments", (t) => {
  const { functions, classes, values } = readPython(`"""
def not_me(a): pass
"""
# def nor_me(a):
title = 'x' # y = 1
class Tree(object):
    def method(self): pass
def plain(): return "def inner(a):"
def many(req, a, b = 1, c="x, y)",
         d=(1, [2]), *args, **kw):  # comment
    def __auth__(req, user, password):
        return 1
    __auth_realm__ = "x"
    return a == b

def after(): pass
def __access__(req, user): return 1
async def later(req: object, x: int = 2): pass
`);
  t.same(
    functions.map(({ parameters, line, guards, ...each }) => [
      each.name,
      line,
      parameters.map(
        ({ stars, name, preset }) => `${stars}${name}${preset === undefined ? "" : `=${preset}`}`,
      ),
      guards,
    ]),
    [
      ["plain", 8, [], []],
      [
        "many",
        9,
        ["req", "a", "b=1", 'c="x, y)"', "d=(1, [2])", "*args", "**kw"],
        ["__auth__", "__auth_realm__"],
      ],
      ["after", 16, [], []],
      ["__access__", 17, ["req", "user"], []],
      ["later", 18, ["req", "x=2"], []],
    ],
  );
  t.same(classes, ["Tree"]);
  t.same(values, ["title"]);
  t.end();
});

t.test("names and defaults that Python allows", (t) => {
  const { functions } = readPython("def größe(a, b=lambda x, y: (x, y), *, c=1): pass\n");
  t.same(
    functions.map(({ name, parameters }) => [
      name,
      parameters.map((each) => each.preset ?? each.name),
    ]),
    [["größe", ["a", "lambda x, y: (x, y)", "1"]]],
  );
  t.end();
});

t.test("Attack: an imported guard", (t) => {
  const text =
    "from users import __auth__ as x\nfrom other import (\n  a,\n  __access__)\nfrom c import d\n";
  t.same(readPython(text).values, ["__auth__", "__access__"]);
  t.end();
});

t.test("what can be called by its name", (t) => {
  const folder = t.testdir({ "a.py": "def one(): pass\nclass two: pass\nthree = one\n" });
  t.same([...functionNames(join(folder, "a.py"))], ["one", "two", "three"]);
  t.end();
});
