import t from "tap";
import { parseConfigTree, splitWords, walk } from "../../src/httpd/config-tree.ts";

const dump = String.raw`# In file: /etc/apache2/apache2.conf
#   4:
PidFile "/run/a.pid"
#  30:
<Proxy "unix:/run/mod-ts/main.sock|http://main.mod-ts" ttl=15>
#  31:
<Directory "/srv/a b">
  #  32:
  AuthName "x \"y\" <z>"
# In file: macro 'inner' (defined on line 2 of "macro 'maker' (defined on line 10 of "/etc/m.conf") used on line 20 of "/etc/m.conf"") used on line 3 of "macro 'outer' (defined on line 5 of "/etc/o.conf") used on line 7 of "/etc/apache2/site.conf""
  #   1:
  <RequireAll >
    #   2:
    Require not ip 10.0.0.1
  </RequireAll>
# In file: /etc/apache2/apache2.conf
  #  40:
  Options None
</Directory>
#  50:
ServerName a
`;

t.test("sections, also empty ones without an end", (t) => {
  const tree = parseConfigTree(dump);
  t.same(
    tree.map(({ name, args, isSection }) => [name, args, isSection]),
    [
      ["PidFile", '"/run/a.pid"', false],
      ["Proxy", '"unix:/run/mod-ts/main.sock|http://main.mod-ts" ttl=15', true],
      ["Directory", '"/srv/a b"', true],
      ["ServerName", "a", false],
    ],
  );
  t.same(
    tree[2]?.children.map(({ name }) => name),
    ["AuthName", "RequireAll", "Options"],
  );
  t.equal([...walk(tree)].length, 8);
  t.end();
});

t.test("file and line, also of a directive in a macro that a macro defines", (t) => {
  const [pid, , directory, server] = parseConfigTree(dump);
  t.same(pid?.place, { file: "/etc/apache2/apache2.conf", line: 4 });
  t.same(server?.place, { file: "/etc/apache2/apache2.conf", line: 50 });
  const require = directory?.children[1]?.children[0];
  // Line 2 of inner, which begins on line 12 of the file, and line 3 of outer, which begins on line 5.
  t.same(require?.place, { file: "/etc/m.conf", line: 14 });
  t.same(require?.macros, [
    {
      name: "outer",
      definedAt: { file: "/etc/o.conf", line: 5 },
      usedAt: { file: "/etc/apache2/site.conf", line: 7 },
    },
    {
      name: "inner",
      definedAt: { file: "/etc/m.conf", line: 12 },
      usedAt: { file: "/etc/o.conf", line: 8 },
    },
  ]);
  t.same(directory?.children[2]?.macros, []);
  t.end();
});

t.test("odd input is no error", (t) => {
  t.same(parseConfigTree(""), []);
  t.same(parseConfigTree("</Directory>\n# note\n   \n"), []);
  const [odd] = parseConfigTree("# In file: macro 'x' (defined on line y\n#   1:\nA");
  t.same(odd?.place, { file: "macro 'x' (defined on line y", line: 1 });
  t.match(parseConfigTree("<Broken\nOptions"), [
    { name: "<Broken", isSection: false },
    { name: "Options" },
  ]);
  const deep = Array.from({ length: 2000 }, (_, depth) => `${"  ".repeat(depth)}<If "a">`);
  t.equal([...walk(parseConfigTree(deep.join("\n")))].length, 2000);
  t.end();
});

t.test("words in quotes", (t) => {
  const cases: [string, string[]][] = [
    ["", []],
    ["a b", ["a", "b"]],
    [String.raw`"a \"b\" c" 'd "e"' f`, ['a "b" c', 'd "e"', "f"]],
    [String.raw`"a\\b" "c\d"`, [String.raw`a\b`, String.raw`c\d`]],
    ['"" x', ["", "x"]],
    ['"open', ['"open']],
  ];
  for (const [args, words] of cases) t.same(splitWords(args), words, args);
  t.end();
});
