import { join } from "node:path";
import t from "tap";
import {
  directoryTag,
  filesBelow,
  newName,
  oldFiles,
  renamedFiles,
} from "../../../src/cli/migrate/trees.ts";
import { parseSource } from "../../../src/httpd/config-source.ts";

const trees = [
  { path: "/pub", extensions: [".py"], kind: ".ts" as const },
  { path: "/pub", extensions: [".psp", ".spsp"], kind: ".tsp" as const },
];

t.test("two old files are two new ones", (t) => {
  t.equal(newName("a.py", ".py", ".ts"), "a.ts");
  t.equal(newName("a.psp", ".psp", ".tsp"), "a.tsp");
  t.equal(newName("a.spsp", ".spsp", ".tsp"), "a.spsp.tsp");
  t.equal(newName("a.py", ".py", ".tsp"), "a.py.tsp");
  t.end();
});

t.test("files below a directory", (t) => {
  const folder = t.testdir({
    "b.py": "",
    "a.py": "",
    deep: { "c.psp": "", "d.txt": "" },
    node_modules: { "e.py": "" },
    link: t.fixture("symlink", "deep"),
  });
  const all = [
    { path: folder, extensions: [".py"], kind: ".ts" as const },
    { path: join(folder, "deep"), extensions: [".psp"], kind: ".tsp" as const },
    { path: folder, extensions: [".psp"], kind: ".tsp" as const },
  ];
  t.same(
    oldFiles(all).map(({ target }) => target.slice(folder.length)),
    ["/a.ts", "/b.ts", "/deep/c.tsp"],
  );
  t.same(
    filesBelow(join(folder, "none"), () => true),
    [],
  );
  t.end();
});

t.test("Attack: a guard by the name of a file that has another name now", (t) => {
  const file = (old: string, target: string): Parameters<typeof renamedFiles>[2][number] => ({
    file: `/pub/${old}`,
    target: `/pub/${target}`,
    kind: ".ts",
  });
  const files = [
    file("admin.py", "admin.ts"),
    file("open.psp", "open.tsp"),
    file("x.spsp", "x.spsp.tsp"),
  ];
  for (const [section, matched] of [
    ['<Files "admin.py">', ["admin.py", "admin.ts"]],
    ["<Files *.psp>", ["open.psp", "open.tsp"]],
    ['<Files ~ "\\.(shtml|spsp)$">', ["x.spsp", "x.spsp.tsp"]],
    [
      '<FilesMatch "\\.(spsp|psp|py)$">',
      ["admin.py", "admin.ts", "open.psp", "open.tsp", "x.spsp", "x.spsp.tsp"],
    ],
    ['<FilesMatch "^a.*y$">', ["admin.py", "admin.ts"]],
    ["<Files admin.??>", ["admin.py", "admin.ts"]],
  ] as const) {
    const [directive] = parseSource(`${section}\n</Files>\n`, "/a");
    const written = renamedFiles(directive!, trees, files) ?? section;
    const pattern = new RegExp(/"(.*)"/.exec(written)?.[1] ?? "^admin\\...$");
    const names = files.flatMap((each) => [each.file, each.target].map((path) => path.slice(5)));
    t.same(names.filter((name) => pattern.test(name)).toSorted(), [...matched], section);
  }
  const [css] = parseSource('<Files "*.css">\n</Files>\n', "/a");
  t.equal(renamedFiles(css!, trees, files), undefined);
  const [pyc] = parseSource('<Files "*.pyc">\n</Files>\n', "/a");
  t.equal(renamedFiles(pyc!, trees, files), undefined);
  t.end();
});

t.test("names of files and directories stay names", (t) => {
  t.equal(directoryTag("/srv/a b/cé.d"), '<Directory "/srv/a b/cé.d">');
  t.equal(directoryTag("/srv/docs [old]"), '<DirectoryMatch "^/srv/docs \\x5bold\\x5d(?:/|$)">');
  t.equal(
    directoryTag('/srv/x">\nDefine ${y} "'),
    '<DirectoryMatch "^/srv/x\\x22\\x3e\\x0aDefine \\x24\\x7by\\x7d \\x22(?:/|$)">',
  );
  const [section] = parseSource('<FilesMatch "^[^/]{10}$">', "/a") as [never];
  const name = 'a"\nb>.py';
  const files = [{ file: `/pub/${name}xx`, kind: ".ts" as const, target: `/pub/${name}` }];
  t.equal(renamedFiles(section, trees, files), '<FilesMatch "^[^/]{10}$|^a\\x22\\x0ab>\\.py$">');
  t.end();
});
