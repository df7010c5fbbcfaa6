import t, { type Test } from "tap";
import { linesOf, migrateText } from "../../fixtures/migrated.ts";

const denied = ['<If "%{REQUEST_FILENAME} =~ m#\\.tsp?$#">', "Require all denied", "</If>"];

/** The lines behind those of the publisher, and how many places are closed. */
function directory(t: Test, lines: string): { lines: string[]; closed: number } {
  const publisher = "AddHandler mod_python .py\nPythonHandler mod_python.publisher\n";
  const conf = `DocumentRoot "\${SITE}/www"\n<Directory "\${SITE}/www">\n${publisher}${lines}\n</Directory>\n`;
  const { text, notes } = migrateText(t, conf, { "www/a.py": "" });
  const all = linesOf(text);
  const begin = all.lastIndexOf("</If>", all.indexOf(lines.split("\n")[0] ?? ""));
  const closed = notes.filter(({ level }) => level === "closed").length;
  return { lines: all.slice(begin + 1, -1), closed };
}

t.test("a condition on the name of a file closes the new files", (t) => {
  const asks = [
    '<If "%{REQUEST_FILENAME} =~ m#/a\\.py$#">',
    "Require ip 192.0.2.1",
    "</If>",
    "<Else>",
    "Require all granted",
    "</Else>",
  ];
  t.same(directory(t, asks.join("\n")), { lines: [...asks, ...denied], closed: 1 });
  const rule = "RewriteRule ^a\\.py - [F]";
  t.same(directory(t, rule), { lines: [rule, ...denied], closed: 1 });
  const condition = "RewriteCond %{SCRIPT_FILENAME} a.py";
  t.same(directory(t, condition), { lines: [condition, ...denied], closed: 1 });
  t.end();
});

t.test("others stay as they are", (t) => {
  for (const line of [
    "RewriteRule ^(.*)$ index.py/$1",
    "RewriteCond %{REQUEST_URI} a.py",
    "RewriteCond %{REQUEST_FILENAME} numpy",
  ]) {
    t.same(directory(t, line), { lines: [line], closed: 0 }, line);
  }
  const { notes } = migrateText(t, '<If "%{REQUEST_FILENAME} =~ /py/">\n</If>\nPythonDebug On\n');
  t.notOk(
    notes.some(({ level }) => level === "closed"),
    "without files that are replaced",
  );
  t.end();
});
