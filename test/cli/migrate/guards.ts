import t, { type Test } from "tap";
import { linesOf, migrateText } from "../../fixtures/migrated.ts";

const always = ['<If "true">', "AuthMerging And", "Require valid-user", "</If>"];

function section(
  t: Test,
  lines: string,
  around = "",
): { lines: string[]; closed: number; hand: number } {
  const { text, notes } = migrateText(t, `${around}<Location "/x">\n${lines}\n</Location>\n`);
  const all = linesOf(text);
  const at = all.indexOf('<Location "/x">');
  const count = (level: string): number => notes.filter((note) => note.level === level).length;
  return { lines: all.slice(at + 1, -1), closed: count("closed"), hand: count("hand") };
}

t.test("an access handler is asked whatever else is required", (t) => {
  t.same(section(t, "PythonAccessHandler a\nPythonAccessHandler b"), {
    lines: [
      "AuthType mod_ts",
      ...always,
      'Use TsAccessHandler "a.ts b.ts"',
      "AuthMerging And",
      "Require valid-user",
    ],
    closed: 0,
    hand: 0,
  });
  t.same(section(t, "Require all granted\nPythonAccessHandler a").lines, [
    "AuthType mod_ts",
    ...always,
    "Use TsAccessHandler a.ts",
    "Require valid-user",
  ]);
  t.same(section(t, "Require ip 10.0.0.0/8\nPythonAccessHandler a").lines, [
    "Require ip 10.0.0.0/8",
    "AuthType mod_ts",
    ...always,
    "Use TsAccessHandler a.ts",
  ]);
  t.end();
});

t.test("access and authentication in one section", (t) => {
  const { lines, closed } = section(
    t,
    "PythonAccessHandler a\nPythonAuthenHandler b\nAuthType Basic\nAuthName x\nRequire valid-user",
  );
  t.same(lines, [
    ...always,
    "Use TsAccessHandler a.ts",
    "Use TsAuthenHandler b.ts",
    "AuthType Basic",
    "AuthName x",
    "Require valid-user",
  ]);
  t.equal(closed, 0);
  t.end();
});

t.test("authentication without a Require line is closed, and said", (t) => {
  const { lines, hand } = section(t, "AuthType Basic\nPythonAuthenHandler a");
  t.same(lines, ["AuthType Basic", "Use TsAuthenHandler a.ts"]);
  t.equal(hand, 1);
  t.end();
});

t.test("a second authentication, which mod_python asked after a DECLINED, is named", (t) => {
  const lines = "PythonAuthenHandler a\nAuthType Basic\nRequire valid-user\n";
  t.equal(section(t, `${lines}AuthUserFile /etc/users`).hand, 1);
  t.equal(section(t, `${lines}AuthBasicProvider ldap`).hand, 1);
  t.equal(section(t, `${lines}AuthUserFile /dev/null`).hand, 0);
  t.end();
});

t.test("authorization", (t) => {
  t.equal(section(t, "PythonAuthzHandler a\nAuthType Basic\nRequire group b").hand, 1);
  t.same(
    section(t, "PythonAuthzHandler a\nAuthType Basic\nAuthUserFile /x\nRequire valid-user")
      .lines[0],
    "Use TsAuthzHandler a.ts",
  );
  t.equal(section(t, "PythonAuthzHandler a | .x").hand, 1, "other files are refused");
  t.end();
});

t.test("an access handler beside the users of another module", (t) => {
  const users = "AuthType Basic\nAuthUserFile /x\nRequire valid-user\n";
  const one = section(t, `${users}PythonAccessHandler a`);
  t.same(one.lines.at(-1), "Use TsAuthzHandler a.ts::accessHandler");
  t.equal(one.hand, 1);
  const two = section(t, `${users}PythonAccessHandler a b`);
  t.same(two.lines.slice(3), ['<If "true">', "Require all denied", "</If>"]);
  t.equal(two.closed, 1);
  const inherited = section(t, "PythonAccessHandler a", `<Location />\n${users}</Location>\n`);
  t.same(inherited.lines, [...always, "Use TsAuthzHandler a.ts::accessHandler"]);
  t.end();
});

t.test("users of another module below an access handler are not bypassed by it", (t) => {
  const users = "AuthType Basic\nAuthUserFile /x\nRequire valid-user";
  for (const around of [
    "PythonAccessHandler a\n",
    '<Location "/">\nPythonAccessHandler a\n</Location>\n',
    "<Directory />\nPythonAccessHandler a\n</Directory>\n",
  ]) {
    const { lines, closed } = section(t, users, around);
    t.same(lines.slice(0, 3), ['<If "true">', "Require all denied", "</If>"], around);
    t.equal(closed, 1, around);
  }
  t.equal(section(t, users, '<Location "/y">\nPythonAccessHandler a\n</Location>\n').closed, 0);
  t.end();
});

t.test("an <If> with requirements of its own does not replace the question", (t) => {
  const { text } = migrateText(
    t,
    `<Location /x>
PythonAccessHandler a
<If "%{REQUEST_METHOD} == 'GET'">
Require all granted
</If>
</Location>
`,
  );
  t.match(linesOf(text).join("\n"), /== 'GET'">\nAuthMerging And\nRequire all granted\n<\/If>/);
  t.end();
});

t.test("guards of the server are in a section", (t) => {
  const { text, notes } = migrateText(t, "PythonAccessHandler a\nPythonAuthenHandler b\n");
  t.same(linesOf(text), [
    '<Location "/">',
    "AuthType mod_ts",
    ...always,
    "Use TsAccessHandler a.ts",
    "AuthMerging And",
    "Require valid-user",
    "</Location>",
    '<Location "/">',
    "AuthType mod_ts",
    "Use TsAuthenHandler b.ts",
    "</Location>",
  ]);
  t.equal(notes.filter(({ level }) => level === "hand").length, 1);
  t.end();
});

t.test("Satisfy any goes, where there are guards", (t) => {
  const { lines, hand } = section(
    t,
    "Satisfy any\nPythonAuthenHandler a\nAuthType Basic\nRequire valid-user",
  );
  t.notOk(lines.includes("Satisfy any"));
  t.equal(hand, 1);
  t.ok(section(t, "Satisfy any\nPythonOption a b").lines.includes("Satisfy any"));
  const { text, notes } = migrateText(
    t,
    'DocumentRoot "${SITE}/www"\n<Location "/">\nPythonAccessHandler a\n</Location>\n',
    { "www/.htaccess": "Satisfy any\n" },
  );
  t.same(linesOf(text).slice(-8), [
    '<Directory "${SITE}/www">',
    '<If "true">',
    "<IfModule mod_access_compat.c>",
    "Order allow,deny",
    "Satisfy All",
    "</IfModule>",
    "</If>",
    "</Directory>",
  ]);
  t.equal(notes.filter(({ level }) => level === "closed").length, 1, "the file stays in force");
  t.end();
});

t.test("what holds only without mod_python does not hold", (t) => {
  const { text } = migrateText(
    t,
    `<Location "/x">
      <IfModule mod_python.c>
        PythonAuthenHandler a
        Require valid-user
      </IfModule>
      <IfModule !mod_python.c>
        Require all granted
        PythonDebug On
      </IfModule>
    </Location>`,
  );
  const lines = linesOf(text);
  t.same(lines.slice(-5), [
    "<IfModule !mod_macro.c>",
    "Require all granted",
    "PythonDebug On",
    "</IfModule>",
    "</Location>",
  ]);
  t.end();
});

t.test("<Limit> limits no handler, so all methods are closed", (t) => {
  const limit = "<Limit POST>\nRequire valid-user\nPythonAccessHandler a\n</Limit>";
  const { lines, closed } = section(t, limit);
  const denied = ['<If "true">', "Require all denied", "</If>"];
  t.same(lines, ["<Limit POST>", "Require valid-user", "</Limit>", ...denied]);
  t.equal(closed, 1);
  const { text } = migrateText(t, '<Proxy "*">\nRequire ip 10\nPythonAccessHandler a\n</Proxy>\n');
  t.same(linesOf(text), ['<Proxy "*">', "Require ip 10", ...denied, "</Proxy>"]);
  t.end();
});

t.test("no <If> that is merged later opens what an access handler refuses", (t) => {
  const around = '<Location "/">\nPythonAccessHandler a\n</Location>\n';
  const { lines } = section(t, '<If "true">\nAuthMerging Off\nRequire all granted\n</If>', around);
  t.same(lines, ['<If "true">', "AuthMerging And", "Require all granted", "</If>"]);
  t.end();
});

t.test("a file that several sections include is read in each", (t) => {
  const users = "AuthType Basic\nAuthName x\nAuthUserFile /x\nRequire valid-user\n";
  const directory = (name: string, lines: string): string =>
    `<Directory "\${SITE}/${name}">\n${lines}Include guard.inc\n</Directory>\n`;
  const { text } = migrateText(t, directory("one", "") + directory("two", users), {
    "guard.inc": '<Files "a.txt">\nPythonAccessHandler ip\n</Files>\n',
  });
  const [one = "", two = ""] = text.split("</Directory>");
  t.match(one, "Use TsAccessHandler ip.ts");
  t.match(two, "Use TsAuthzHandler ip.ts::accessHandler", "beside the users of another module");
  t.end();
});
