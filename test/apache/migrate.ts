/** A small site of mod_python, migrated, served, and asked under its old addresses. */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache, temporaryFolder } from "../fixtures/httpd.ts";
import { modTs } from "../fixtures/mod-ts.ts";
import { until } from "../fixtures/until.ts";

const folder = temporaryFolder(t);
const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

write(
  "site.conf",
  `LoadModule python_module modules/mod_python.so
DocumentRoot "${folder}/www"
<Directory "${folder}/www">
    Require all granted
    DirectoryIndex index.py index.html
</Directory>
<Directory "${folder}/www/pub">
    AddHandler mod_python .py .psp .inner
    PythonHandler mod_python.publisher | .py
    PythonHandler mod_python.psp | .psp .inner
    <Files "*.inner">
        Require ip 192.0.2.1
    </Files>
    <Files "admin.py">
        AuthType Basic
        AuthName "Admin"
        PythonAuthenHandler users
        Require valid-user
    </Files>
</Directory>
<Directory "${folder}/www/whole">
    SetHandler mod_python
    PythonHandler mod_python.publisher
    <Files "*.css">
        SetHandler None
    </Files>
</Directory>
<Directory "${folder}/www/html">
    <FilesMatch "\\.html$">
        SetHandler mod_python
        PythonHandler mod_python.psp
    </FilesMatch>
</Directory>
<Location "/pub/by-address.py">
    Require all denied
</Location>
<Location "/private">
    PythonAccessHandler ip
</Location>
<Directory "${folder}/www/private/granted">
    Require all granted
</Directory>
<Location "/private/granted/again">
    Require all granted
</Location>
<Directory "${folder}/www/users">
    AuthType Basic
    AuthName "Users"
    AuthUserFile "${folder}/passwords"
    Require valid-user
    PythonAccessHandler ip
</Directory>
<Location "/users/granted">
    Require all granted
</Location>
<Location "/private/users">
    AuthType Basic
    AuthName "Users"
    AuthUserFile "${folder}/passwords"
    Require valid-user
</Location>
<Location "/fixup">
    PythonFixupHandler fixup
</Location>
<Location "/app">
    SetHandler mod_python
    PythonHandler app
    PythonOption greeting "50% of \\"all\\""
</Location>
<Location "/app/static">
    SetHandler None
</Location>
<Directory "${folder}/www/satisfy">
    AllowOverride All
    PythonAccessHandler ip
</Directory>
<Location "/without">
    <IfModule mod_python.c>
        AuthType Basic
        AuthName "Users"
        PythonAuthenHandler users
        Require valid-user
    </IfModule>
    <IfModule !mod_python.c>
        Require all granted
    </IfModule>
</Location>
<Directory "${folder}/www/deny">
    Order deny,allow
    Deny from all
    PythonAccessHandler ip
</Directory>
<Location "/limit">
    <Limit POST>
        PythonAccessHandler ip
    </Limit>
</Location>
<Location "/private/later">
    <If "true">
        AuthMerging Off
        Require all granted
    </If>
</Location>
`,
);
const python = `from mod_python import apache
def index(req):
    return "index"
def say(req, name, times="1"):
    return name * int(times)
`;
for (const name of ["index", "hello", "admin", "by-address", "by-htaccess"])
  write(`www/pub/${name}.py`, python);
write("www/pub/page.psp", "<p><%= 'PASSWORD' %></p>");
write("www/ht/.htaccess", "SetHandler mod_python\nPythonHandler ht\n");
write("www/ht/ht.py", "def handler(req): pass\n");
write("www/satisfy/.htaccess", "Satisfy any\n");
write("www/docs [old]/.htaccess", "PythonAccessHandler ip\n");
write("www/pub/.htaccess", '<Files "by-htaccess.py">\n    Require all denied\n</Files>\n');
write("www/html/page.html", "<p><%= 'PASSWORD' %></p>");
write("www/html/other.htm", "other");
write("www/pub/secret.inner", "<p>PASSWORD</p>");
write("www/pub/style.css", "p {}");
write("www/whole/hello.py", python);
write("www/whole/style.css", "p {}");
write("www/whole/data.ini", "PASSWORD");
write("www/private/a.txt", "private");
write("www/private/granted/a.txt", "private");
write("www/private/granted/again/a.txt", "private");
write("www/app/static/x.css", "x {}");
const guarded = [
  "users/granted",
  "deny",
  "satisfy",
  "without",
  "limit",
  "private/later",
  "docs [old]",
];
for (const name of [...guarded, "users", "private/users", "fixup"])
  write(`www/${name}/a.txt`, "private");
write("passwords", `ann:{SHA}${createHash("sha1").update("secret").digest("base64")}\n`);

// As the report says.
const output = join(folder, "site.mod_ts");
const migrated = await modTs("migrate", join(folder, "site.conf"));
cpSync(join(output, "root"), "/", { recursive: true, force: false });
write("www/docs [old]/.htaccess", "");

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_access_compat"],
  conf: `Include "${output}/site.conf"`,
  config: { handlers: [join(output, "handlers"), join(folder, "www")] },
});
const inside = { headers: { "x-inside": "yes" } };
const ann = { headers: { authorization: `Basic ${btoa("ann:secret")}` } };

// An option with a percent sign, a module that is not there, passwords beside access handlers, `Satisfy any`, <Limit>.
t.test("everything else is converted", (t) => {
  t.match(migrated, { code: 1, stderr: "", stdout: /\b6 places by hand, \d+ skeletons/ });
  t.end();
});

t.test("before anything is ported, nothing is open and nothing is shown", async (t) => {
  for (const [path, status] of [
    ["/pub/hello.py", 501],
    ["/pub/hello.py/say?name=Ann", 501],
    ["/pub/", 501],
    ["/pub/page.psp", 501],
    ["/ht/a", 501],
    ["/ht/ht.py", 501],
    ["/html/page.html", 501],
    ["/html/other.htm", 200],
    ["/pub/secret.inner", 403],
    ["/pub/secret.inner.tsp", 403],
    ["/pub/style.css", 200],
    ["/pub/admin.py", 403],
    ["/pub/admin.py/say?name=Ann", 403],
    ["/pub/by-address.py", 403],
    // New addresses, which no guard of the old configuration knows.
    ["/pub/hello.ts", 403],
    ["/pub/admin.ts", 403],
    ["/pub/by-address.ts/say?name=Ann", 403],
    ["/pub/page.tsp", 403],
    ["/pub/hello.pyc", 403],
    ["/pub/hello.py.bak", 403],
    ["/whole/hello/say?name=Ann", 501],
    ["/whole/hello.py", 501],
    ["/whole/style.css", 200],
    ["/whole/data.ini", 403],
    ["/private/a.txt", 403],
    ["/private/granted/a.txt", 403],
    ["/private/granted/again/a.txt", 403],
    ["/users/a.txt", 401],
    ["/users/granted/a.txt", 401],
    ["/private/users/a.txt", 403],
    ["/satisfy/a.txt", 403],
    ["/without/a.txt", 403],
    ["/limit/a.txt", 403],
    ["/private/later/a.txt", 403],
    ["/docs%20[old]/a.txt", 403],
    ["/pub/by-htaccess.py", 403],
    ["/fixup/a.txt", 501],
    ["/app", 501],
    ["/app/anything", 501],
    ["/app/static/x.css", 200],
  ] as const) {
    const reply = await apache.request(path);
    t.equal(reply.status, status, path);
    t.notMatch(reply.body, /PASSWORD|def say|export function/, path);
    if (status === 501) t.match(reply.body, /not ported from Python yet/, path);
  }
});

t.test("a password alone does not replace a handler, nor a handler a password", async (t) => {
  for (const [path, ask, status] of [
    ["/users/a.txt", ann, 403],
    ["/users/a.txt", inside, 401],
    ["/private/users/a.txt", ann, 403],
    ["/private/users/a.txt", inside, 403],
  ] as const) {
    t.equal((await apache.request(path, ask)).status, status, path);
  }
});

t.test("ported functions have their old addresses", async (t) => {
  const file = "site.mod_ts/handlers";
  write("www/pub/hello.ts", handlerFile("migrate/hello.ts"));
  write("www/pub/admin.ts", handlerFile("migrate/hello.ts"));
  write(`${file}/users.ts`, handlerFile("migrate/users.ts"));
  write(`${file}/ip.ts`, handlerFile("migrate/ip.ts"));
  const say = async (path: string, ask = {}): Promise<string> => {
    const { status, body } = await apache.request(path, ask);
    return status === 200 ? body : String(status);
  };
  await until(() => say("/pub/hello.py/say?name=Ann&times=2"), "/pub/hello.py/say: Ann 2");
  t.equal(await say("/pub/hello.py"), "index of hello");
  await until(() => say("/pub/admin.py"), "401");
  await until(() => say("/pub/admin.py", ann), "index of hello");
  await until(() => say("/private/a.txt", inside), "private");
  const both = { headers: { ...ann.headers, ...inside.headers } };
  for (const [ask, expected] of [
    [both, "private"],
    [ann, "403"],
    [inside, "401"],
    [{}, "401"],
  ] as const) {
    await until(() => say("/users/a.txt", ask), expected);
    t.equal(await say("/private/users/a.txt", ask), "403");
  }
  t.equal(await say("/deny/a.txt", inside), "403", "Deny from all stays");
  t.equal(await say("/private/granted/a.txt", inside), "private");
  t.equal(await say("/private/granted/again/a.txt", inside), "private");
  for (const path of ["", "granted/", "granted/again/"]) {
    t.equal(await say(`/private/${path}a.txt`), "403", path);
  }
});

t.test("options keep their values", async () => {
  write("site.mod_ts/handlers/app.ts", handlerFile("migrate/app.ts"));
  const asked = async (): Promise<string> => (await apache.request("/app")).body;
  await until(asked, '50% of "all"');
});
