import t from "tap";
import { addressRules, newExtension } from "../../../src/cli/migrate/content.ts";
import { linesOf, migrateText } from "../../fixtures/migrated.ts";

t.test("old addresses lead to new files, except those of other directories", (t) => {
  const root = { uri: "/", path: "/srv/www" };
  const pub = { uri: "/p.b", path: "/srv/pub" };
  const inner = { uri: "/p.b/static", path: "/srv/static" };
  t.same(addressRules(root, { extensions: [".py"], kind: ".ts" }, [root, pub]), [
    'AliasMatch "^(?!(?:/p\\.b)(?:/|$))/(.+?)\\.py(/.*)?$" "/srv/www/$1.ts$2"',
  ]);
  t.same(addressRules(pub, { extensions: [".psp", ".html"], kind: ".tsp" }, [root, pub, inner]), [
    'AliasMatch "^/p\\.b(?!(?:/static)(?:/|$))/(.+?)\\.psp(/.*)?$" "/srv/pub/$1.tsp$2"',
    'AliasMatch "^/p\\.b(?!(?:/static)(?:/|$))/(.+?\\.html)(/.*)?$" "/srv/pub/$1.tsp$2"',
  ]);
  t.end();
});

t.test("files have a part in the publisher and in pages only", (t) => {
  t.equal(newExtension(["a", "mod_python.publisher"]), ".ts");
  t.equal(newExtension(["mod_python.psp"]), ".tsp");
  t.equal(newExtension(["mod_python.cgihandler"]), undefined);
  t.end();
});

t.test("each host has the rules for its own addresses", (t) => {
  const { text, notes } = migrateText(
    t,
    `<Directory "\${SITE}/www/pub">
AddHandler mod_python .py
PythonHandler mod_python.publisher
</Directory>
<VirtualHost *:80>
DocumentRoot "\${SITE}/www"
</VirtualHost>
<VirtualHost *:81>
DocumentRoot "\${SITE}/other"
Alias /p "\${SITE}/www/pub"
</VirtualHost>
<LocationMatch "^/x">
SetHandler mod_python
PythonHandler mod_python.publisher
</LocationMatch>
`,
    { "www/pub/a.py": "" },
  );
  t.same(
    linesOf(text).filter((line) => line.startsWith("AliasMatch")),
    [
      'AliasMatch "^/pub/(.+?)\\.py(/.*)?$" "${SITE}/www/pub/$1.ts$2"',
      'AliasMatch "^/p/(.+?)\\.py(/.*)?$" "${SITE}/www/pub/$1.ts$2"',
    ],
  );
  t.match(
    notes.filter(({ level }) => level === "hand"),
    [{ text: /^old addresses/ }],
  );
  t.end();
});

t.test("virtual hosts do not inherit rules for files of the main server", (t) => {
  const { text } = migrateText(
    t,
    `DocumentRoot "\${SITE}/www"
<Directory "\${SITE}/www">
AddHandler mod_python .py
PythonHandler mod_python.publisher
</Directory>
<VirtualHost *:80>
DocumentRoot "\${SITE}/other"
</VirtualHost>
<VirtualHost *:81>
ServerName same
</VirtualHost>
`,
  );
  const lines = linesOf(text);
  t.equal(lines.filter((line) => line.startsWith("AliasMatch")).length, 1);
  t.match(lines[lines.indexOf("<VirtualHost *:81>") + 1], /^AliasMatch .* "\$\{SITE\}\/www\//);
  t.end();
});
