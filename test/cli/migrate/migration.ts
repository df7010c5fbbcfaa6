import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { migrate } from "../../../src/cli/migrate/migration.ts";
import { linesOf, migrateText } from "../../fixtures/migrated.ts";

t.test("an .htaccess becomes a section of its directory", (t) => {
  const folder = t.testdir({
    www: { ".htaccess": "SetHandler mod_python\nPythonHandler a\n", "a.py": "" },
  });
  const { files, served } = migrate(join(folder, "www/.htaccess"), undefined);
  t.same(linesOf(files[0]!.text), [
    `<Directory "${folder}/www">`,
    "Use TsHandler a.ts",
    "</Directory>",
  ]);
  t.match(files.find(({ path }) => path === "handlers/a.ts")?.text, /Skeleton of .*a\.py,/);
  t.same(served, [join(folder, "www")]);
  t.end();
});

t.test("those of served directories are found", (t) => {
  const { text } = migrateText(t, 'DocumentRoot "${SITE}/www"\n', {
    "www/deep/.htaccess": "PythonDebug On\n",
    "www/other/.htaccess": "Options None\n",
  });
  t.same(linesOf(text).slice(1), [
    '<Directory "${SITE}/www/deep">',
    "Use TsDebug On",
    "</Directory>",
  ]);
  t.end();
});

t.test("files are no more readable than those that they come from", (t) => {
  const folder = t.testdir({
    "a.conf": "",
    www: { "a.py": "", "a.txt": "", "b.psp": "" },
  });
  t.testdir({
    "a.conf": `<Directory "${folder}/www">\nAddHandler mod_python .py .psp\nPythonHandler mod_python.psp | .psp\nPythonHandler mod_python.publisher\n</Directory>\n<Directory "${folder}">\n</Directory>\nAlias /a "${folder}/www"\n`,
    www: { "a.py": "", "a.txt": "", "b.psp": "" },
  });
  chmodSync(join(folder, "a.conf"), 0o640);
  chmodSync(join(folder, "www/a.py"), 0o600);
  const { files, hasTrees } = migrate(join(folder, "a.conf"), undefined);
  t.same(
    files
      .filter(({ path }) => path !== "mod-ts.config.ts")
      .map(({ path, mode }) => [path.replace(folder, ""), mode.toString(8).slice(0, 2)])
      .toSorted(),
    [
      ["a.conf", "64"],
      ["root/www/a.ts", "60"],
      [
        "root/www/b.tsp",
        files
          .find(({ path }) => path.endsWith("tsp"))!
          .mode.toString(8)
          .slice(0, 2),
      ],
    ],
  );
  t.ok(hasTrees);
  t.end();
});

t.test(
  "guards by the names of files, in .htaccess files of other names and odd directories",
  (t) => {
    const { text } = migrateText(
      t,
      `AccessFileName .acl
    DocumentRoot "\${SITE}/www"
    <Directory "\${SITE}/www">
      AddHandler mod_python .py
      PythonHandler mod_python.publisher
    </Directory>`,
      {
        "www/a.py": "",
        "www/.htaccess": '<Files "a.py">\nRequire all denied\n</Files>\n',
        "www/same/.htaccess": '<Files "a.txt">\nRequire all denied\n</Files>\n',
        "www/docs [old]/.acl": "PythonDebug On\n",
      },
    );
    const lines = linesOf(text);
    const at = lines.lastIndexOf("</Directory>");
    t.same(lines.slice(at - 4, at + 4), [
      '<Directory "${SITE}/www">',
      '<FilesMatch "^a\\.(?:py|ts)$">',
      "Require all denied",
      "</FilesMatch>",
      "</Directory>",
      lines.find((line) => line.startsWith("<DirectoryMatch") && line.includes("docs ")),
      "Use TsDebug On",
      "</DirectoryMatch>",
    ]);
    t.notMatch(text, "a.txt", "what stays as it is stays where it is");
    t.end();
  },
);

t.test("a .htaccess file stays in its directory", (t) => {
  const { text } = migrateText(t, 'DocumentRoot "${SITE}/www"\n', {
    "www/deep/.htaccess": [
      "PythonDebug On",
      "<Files a>",
      "</Directory>",
      "</DIRECTORY > x",
      "</Direc\\\ntory>",
      "</Files>",
      "</IfModule>",
      "CustomLog a b \\",
    ].join("\n"),
  });
  t.same(linesOf(text).slice(1), [
    '<Directory "${SITE}/www/deep">',
    "Use TsDebug On",
    "<Files a>",
    "</Files>",
    "CustomLog a b",
    "</Directory>",
  ]);
  t.end();
});
