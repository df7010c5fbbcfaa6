import t from "tap";
import { linesOf, migrateText } from "../../fixtures/migrated.ts";

t.test("everything else stays as it was written", (t) => {
  const conf = `# comment \\
  goes on
ServerName   "x"

<Location  "/a">
  Require all \\
    granted
</Location>
`;
  t.equal(migrateText(t, conf).text, conf);
  t.end();
});

t.test("a replaced line stays as a comment, in its place", (t) => {
  const { text } = migrateText(
    t,
    `<Location "/a">\n    PythonOption \\\n        a b # no comment\n</Location>\n`,
  );
  t.equal(
    text.replaceAll(/ +$/gm, ""),
    `<Location "/a">\n    #PythonOption\n        #a b # no comment\n    Use TsOption a "b"\n</Location>\n`,
  );
  t.end();
});

t.test("only included files with Python are written into the new one", (t) => {
  const { text } = migrateText(
    t,
    `Include "\${SITE}/more/*.conf"\nInclude "\${SITE}/plain.conf"\n`,
    {
      "more/1.conf": "Plain 1\n",
      "more/2.conf": 'Include "${SITE}/deep.conf"\n',
      "deep.conf": "PythonOption a b\n",
      "plain.conf": "Plain 2\n",
    },
  );
  t.same(linesOf(text), [
    'Include "${SITE}/more/1.conf"',
    'Use TsOption a "b"',
    'Include "${SITE}/plain.conf"',
  ]);
  t.end();
});

t.test("rules of the main server come after the modules and before other aliases", (t) => {
  const { text } = migrateText(
    t,
    `<IfModule !x.c>
LoadModule x_module x.so
</IfModule>
DocumentRoot "\${SITE}/www"
Alias "/b" "/srv/b"
<Directory "\${SITE}/www">
AddHandler mod_python .py
PythonHandler mod_python.publisher
</Directory>
`,
  );
  t.same(
    linesOf(text)
      .map((line) => line.split(" ")[0])
      .slice(0, 6),
    ["<IfModule", "LoadModule", "</IfModule>", "DocumentRoot", "AliasMatch", "Alias"],
  );
  t.end();
});
