import t from "tap";
import { baseOf, isWithin, Model, ownOf } from "../../../src/cli/migrate/model.ts";
import { parseSource } from "../../../src/httpd/config-source.ts";

const model = new Model(
  parseSource(
    `DocumentRoot "/srv/www"
Outer 1
<Directory "/srv/www">
Middle 1
<Files "a.html">
Inner 1
</Files>
</Directory>
<VirtualHost *:80>
Outer 2
Alias "/x" "/srv/x"
<Location "/x/y">
Place 1
</Location>
</VirtualHost>
`,
    "/a.conf",
  ),
);
const [directory, files] = model.main.sections;
const host = model.hosts[1]!;
const [location] = host.sections;

t.test("what is around a section", (t) => {
  const names = (levels: readonly (readonly { name: string; args: string }[])[]): string[] =>
    levels.flat().map(({ name, args }) => `${name} ${args}`);
  t.same(
    names(model.inherited(files, model.main)).filter((name) => /Outer|Middle|Inner/.test(name)),
    // The main server is its own host.
    ["Outer 1", "Middle 1"],
  );
  t.match(names(model.inherited(location, host)), [
    'DocumentRoot "/srv/www"',
    "Outer 1",
    "Outer 2",
  ]);
  t.equal(baseOf(files!), directory);
  t.ok(isWithin(files, "directory"));
  t.notOk(isWithin(location, "directory"));
  t.end();
});

t.test("addresses and directories of a section", (t) => {
  t.same(
    [...model.places(directory, model.main)!.values()],
    [[{ uri: "/", path: "/srv/www" }], [{ uri: "/", path: "/srv/www" }]],
  );
  t.same(model.places(location, host)!.get(host), [{ uri: "/x/y", path: "/srv/x/y" }]);
  t.same(model.places(undefined, host)!.get(host), [
    { uri: "/x", path: "/srv/x" },
    { uri: "/", path: "/srv/www" },
  ]);
  t.end();
});

t.test("a condition of mod_python is none", (t) => {
  const nodes = parseSource(
    "A 1\n<IfModule mod_python.c>\nB 1\n</IfModule>\n<IfDefine X>\nC 1\n</IfDefine>\n",
    "/b",
  );
  t.same(
    ownOf(nodes).map(({ name }) => name),
    ["A", "B", "IfDefine"],
  );
  t.end();
});
