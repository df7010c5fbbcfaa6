import t from "tap";
import { linesOf, migrateText } from "../../fixtures/migrated.ts";

/** Lines of mod_python in a section, and what is in force in their place. */
const inSection: readonly [string, readonly string[]][] = [
  ["SetHandler mod_python\nPythonHandler hello", ["Use TsHandler hello.ts"]],
  [
    "SetHandler python-program\nPythonHandler a::b.c d\nPythonHandler e",
    ['Use TsHandler "a.ts::b.c d.ts e.ts"'],
  ],
  ["PythonInitHandler a", ["Use TsInitHandler a.ts"]],
  ["PythonHeaderParserHandler a", ["Use TsHeaderParserHandler a.ts"]],
  [
    "PythonTypeHandler a | .x .y",
    ['Use TsTypeHandler "a.ts | .x"', 'Use TsTypeHandler "a.ts | .y"'],
  ],
  ["PythonFixupHandler a\nPythonFixupHandler b", ['Use TsFixupHandler "a.ts b.ts"']],
  ["PythonLogHandler a", ["Use TsLogHandler a.ts"]],
  ["PythonCleanupHandler a", ["Use TsCleanupHandler a.ts"]],
];

t.test("directives of a section", (t) => {
  for (const [lines, expected] of inSection) {
    const { text, notes } = migrateText(t, `<Location "/x">\n${lines}\n</Location>\n`);
    t.same(linesOf(text).slice(1, -1), expected, lines);
    t.notOk(
      notes.some(({ level }) => level === "closed"),
      lines,
    );
    for (const line of lines.split("\n")) t.ok(text.includes(`#${line}`), "the line is a comment");
  }
  t.end();
});

t.test("a condition of mod_python holds without it", (t) => {
  const { text } = migrateText(
    t,
    `<IfModule mod_python.c>
<IfModule python_module>
<Location /x>
PythonAccessHandler a
</Location>
</IfModule>
</IfModule>
<IfModule other.c>
PythonOption a b
</IfModule>
`,
  );
  t.same(linesOf(text).slice(0, 3), [
    "<IfModule mod_macro.c>",
    "<IfModule mod_macro.c>",
    "<Location /x>",
  ]);
  t.same(linesOf(text).slice(-3), ["<IfModule other.c>", 'Use TsOption a "b"', "</IfModule>"]);
  t.end();
});

t.test("what cannot be converted is closed", (t) => {
  for (const [conf, expected] of [
    ["<VirtualHost *:79>\nPythonConnectionHandler finger\n</VirtualHost>", "AuthMerging And"],
    ["<Location /x>\nPythonHandlerModule unknown\n</Location>", "Require all denied"],
    ["<Location /x>\nSetHandler mod_python\n</Location>", "Require all denied"],
    ['<Proxy "http://a.example/">\nPythonAccessHandler a\n</Proxy>', "Require all denied"],
    ["<Location /x>\nPythonUnknown On\n</Location>", "Require all denied"],
    [
      "<Location /x>\n<Limit POST>\nPythonAuthenHandler a\n</Limit>\n</Location>",
      "Require all denied",
    ],
  ] as const) {
    const { text, notes } = migrateText(t, `${conf}\n`);
    t.ok(linesOf(text).includes("Require all denied"), conf);
    t.ok(linesOf(text).includes(expected), conf);
    t.match(
      notes.filter(({ level }) => level === "closed"),
      [{}],
      conf,
    );
    t.match(text, /# mod_ts: .+ Closed until then\./, conf);
  }
  t.end();
});

t.test("a module for all phases becomes one directive for each function", (t) => {
  const { text, files } = migrateText(
    t,
    `<Directory "\${SITE}/www">
SetHandler mod_python
PythonHandlerModule both
</Directory>
`,
    { "www/both.py": "def fixuphandler(req): pass\nloghandler = print\nclass handler: pass\n" },
  );
  t.same(linesOf(text).slice(1, -1), [
    "Use TsFixupHandler both.ts",
    "Use TsHandler both.ts",
    "Use TsLogHandler both.ts",
  ]);
  t.match(
    files.find(({ path }) => path === "handlers/both.ts")?.text,
    /export function fixupHandler/,
  );
  t.end();
});

t.test("a content handler is named where its directive or its handler is", (t) => {
  const { text } = migrateText(
    t,
    `DocumentRoot "\${SITE}/www"
AddHandler mod_python .py
<Directory "\${SITE}/www">
PythonHandler one
</Directory>
<Directory "\${SITE}/www/two">
PythonHandler two
</Directory>
<Location "/three">
SetHandler mod_python
PythonHandler three | .html
</Location>
<Directory "\${SITE}/www/none">
SetHandler none
</Directory>
`,
  );
  t.same(linesOf(text).slice(1), [
    '<Directory "${SITE}/www">',
    '<FilesMatch "(?i)\\.(?:py)(?:\\.[^/]*)?$">',
    "Use TsHandler one.ts",
    "</FilesMatch>",
    "</Directory>",
    '<Directory "${SITE}/www/two">',
    '<FilesMatch "(?i)\\.(?:py)(?:\\.[^/]*)?$">',
    "Use TsHandler two.ts",
    "</FilesMatch>",
    "</Directory>",
    '<Location "/three">',
    '<If "%{REQUEST_FILENAME} =~ m#(?i)\\.(?:html)(?:\\.[^/]*)?$#">',
    "Use TsHandler three.ts",
    "</If>",
    "</Location>",
    '<Directory "${SITE}/www/none">',
    "Use TsNoHandler",
    "</Directory>",
  ]);
  t.end();
});

t.test("pages and publisher by the names of their files", (t) => {
  for (const [section, rule] of [
    ['<FilesMatch "\\.html$">', "(.+?\\.html)"],
    ["<Files *.psp>", "(.+?)\\.psp"],
    ['<FilesMatch "\\.(?:html|htm)$">', "(.+?\\.htm)"],
  ] as const) {
    const name = /<(\w+)/.exec(section)![1]!;
    const { text } = migrateText(
      t,
      `DocumentRoot "\${SITE}/www"
<Directory "\${SITE}/www">
${section}
SetHandler mod_python
PythonHandler mod_python.psp
</${name}>
</Directory>
`,
      { "www/a.html": "<%= secret %>" },
    );
    t.match(text, `AliasMatch "^/${rule}(/.*)?$" "\${SITE}/www/$1.tsp$2"`);
    t.match(text, /! -f %\{REQUEST_FILENAME\} \|\| %\{REQUEST_FILENAME\} =~ m#\\\.tsp\$#/);
  }
  t.end();
});

t.test("rules for old addresses leave the addresses of other handlers alone", (t) => {
  const { text } = migrateText(
    t,
    `DocumentRoot "\${SITE}/www"
<Directory "\${SITE}/www">
AddHandler mod_python .py
PythonHandler mod_python.publisher
</Directory>
<Location /tracker/>
SetHandler mod_python
PythonHandler tracker
</Location>
`,
  );
  t.match(text, 'AliasMatch "^(?!(?:/tracker)(?:/|$))/(.+?)\\.py(/.*)?$"');
  t.end();
});

t.test("addresses that lead to Python files by MultiViews are named", (t) => {
  const options = [
    ["Options Indexes MultiViews", 1],
    ["Options -Indexes +MultiViews\nOptions -Indexes", 1],
    ["Options MultiViews\nOptions Indexes", 0],
    ["Options +MultiViews\nOptions -MultiViews", 0],
    ["", 0],
  ] as const;
  for (const [lines, expected] of options) {
    const { notes } = migrateText(
      t,
      `DocumentRoot "\${SITE}/www"
<Directory "\${SITE}/www">
${lines}
</Directory>
<Directory "\${SITE}/www">
AddHandler mod_python .py
PythonHandler mod_python.publisher
</Directory>
`,
    );
    const named = notes.filter(({ level, text }) => level === "hand" && /MultiViews/.test(text));
    t.equal(named.length, expected, lines);
  }
  t.end();
});

t.test("CGI scripts need their directory", (t) => {
  const { files, notes } = migrateText(
    t,
    `<Directory "\${SITE}/www/cgi">
SetHandler mod_python
PythonHandler mod_python.cgihandler
</Directory>
DocumentRoot "\${SITE}/www"
`,
  );
  t.match(files[1]?.text, /handlers: \["[^"]*\/www\/cgi"\]/, "without a directory of skeletons");
  t.ok(notes.some(({ level, text }) => level === "hand" && text.startsWith("mod_ts/cgi")));
  t.end();
});

t.test("files that were not read are named, and their lines stay", (t) => {
  const { text, notes } = migrateText(
    t,
    "Include none.conf\nIncludeOptional none/*.conf\nIncludeOptional ${X}/*.conf\nPythonDebug On\n",
  );
  t.equal(notes.filter(({ level }) => level === "hand").length, 2);
  t.same(linesOf(text).slice(0, 3), [
    "Include none.conf",
    "IncludeOptional none/*.conf",
    "IncludeOptional ${X}/*.conf",
  ]);
  t.end();
});
