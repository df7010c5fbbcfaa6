import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { checkTypes } from "../../../src/cli/type-check/check-types.ts";
import { checkGuards } from "../../../src/httpd/guard-rules.ts";
import { MergedConfig } from "../../../src/httpd/merged-config.ts";
import { dumpConfig, queryHttpd } from "../../../src/httpd/query.ts";
import {
  defaultModules,
  unprivilegedUser,
  writeServerRoot,
} from "../../../src/httpd/server-root.ts";
import { confFile, requireHttpd, temporaryFolder } from "../../fixtures/httpd.ts";
import { modTs } from "../../fixtures/mod-ts.ts";
import { originDefines } from "../../fixtures/origin.ts";

/** Configurations of the kinds that are out there. */
const sites: Readonly<Record<string, string>> = {
  "a bug tracker, with the passwords of Apache": `
    <IfModule mod_python.c>
      <Location "/projects">
        SetHandler mod_python
        PythonInterpreter main_interpreter
        PythonHandler tracker.web.frontend
        PythonOption TrackerParentDir /srv/tracker
        PythonOption TrackerRoot /projects
        PythonPath "sys.path + ['/usr/local/lib/tracker']"
        SetEnv EGG_CACHE /tmp
      </Location>
    </IfModule>
    <LocationMatch "^/projects/[^/]+/login">
      AuthType Basic
      AuthName "Tracker"
      AuthUserFile /etc/apache2/tracker.htpasswd
      Require valid-user
    </LocationMatch>`,
  "a framework at the root, with static exceptions": `
    Alias /media "\${SITE}/media"
    <Location "/">
      SetHandler python-program
      PythonHandler framework.handlers.modpython
      SetEnv SETTINGS_MODULE site.settings
      PythonPath "['\${SITE}/lib', '/srv/framework'] + sys.path"
      PythonDebug On
      PythonInterpreter site
    </Location>
    <Location "/media">
      SetHandler None
    </Location>
    <LocationMatch "\\.(jpg|gif|png)$">
      SetHandler None
    </LocationMatch>`,
  "a wiki, by a method of a class": `
    <Location "/wiki">
      SetHandler python-program
      PythonPath "['/srv/wiki'] + sys.path"
      PythonHandler Wiki.request::RequestModPy.run
      PythonInterpreter wiki
      PythonOption Location /wiki
    </Location>`,
  "a repository browser, a script for each address": `
    <Directory "\${SITE}/htdocs/browse">
      AddHandler python-program .py
      PythonPath "['/srv/browse/bin'] + sys.path"
      PythonHandler handler
      PythonDebug Off
      AddDefaultCharset UTF-8
    </Directory>`,
  "publisher and pages behind a login": `
    Alias /vc "\${SITE}/vc/"
    <Directory "\${SITE}/vc/">
      AllowOverride FileInfo
      AddHandler mod_python .spsp .py .psp
      PythonHandler mod_python.publisher | .py
      PythonHandler mod_python.psp | .spsp .psp
      <Files ~ "\\.(shtml|spsp)$">
        AuthType Basic
        AuthName "Repository"
        AuthUserFile /etc/apache2/vc.htpasswd
        Require valid-user
      </Files>
      PythonDebug On
    </Directory>`,
  "access or login, and users in Python": `
    <Location "/forge">
      Satisfy any
      PythonOption SETTINGS forge.settings
      PythonAccessHandler forge.handlers::accesshandler
      PythonAuthenHandler forge.handlers::authenhandler
      AuthType basic
      AuthName "Restricted"
      Require valid-user
      <IfModule mod_auth_basic.c>
        AuthBasicAuthoritative Off
        AuthUserFile /dev/null
      </IfModule>
    </Location>`,
  "everything at once": `
    PythonPostReadRequestHandler first
    PythonTransHandler names
    PythonImport warm::start main_interpreter
    PythonOutputFilter mask MASK
    PythonAutoReload Off
    PythonAccessHandler clock
    <VirtualHost *:*>
      ServerName all
      DocumentRoot "\${SITE}/htdocs"
      PythonInterpPerDirectory On
      <Directory "\${SITE}/htdocs">
        SetOutputFilter MASK
        PythonFixupHandler a | .html
        PythonLogHandler a
        PythonCleanupHandler a
        PythonTypeHandler a
        PythonInitHandler a
        PythonHeaderParserHandler a
        PythonAuthzHandler rights
        AuthType Basic
        AuthName x
        AuthUserFile /etc/apache2/users
        Require valid-user
      </Directory>
    </VirtualHost>
    <VirtualHost *:*>
      ServerName line
      PythonConnectionHandler finger
    </VirtualHost>`,
};

t.test("httpd accepts what is written, and mod-ts check finds no guard open", async (t) => {
  for (const [name, conf] of Object.entries(sites)) {
    const folder = temporaryFolder(t);
    const file = join(folder, "site.conf");
    writeFileSync(file, conf.replaceAll("${SITE}", folder));
    const { stderr, stdout } = await modTs("migrate", file, "--output", join(folder, "new"));
    t.equal(stderr, "", name);
    t.match(stdout, /lines? converted/, name);
    const written = readFileSync(join(folder, "new/site.conf"), "utf8");
    const { said, merged } = await test(folder, written);
    t.match(said, "Syntax OK", name, { said, written });
    t.notMatch(said, /warn/i, name);
    t.same(
      checkGuards(merged).filter(({ level }) => level === "bad"),
      [],
      name,
    );
  }
});

async function test(folder: string, conf: string): Promise<{ said: string; merged: MergedConfig }> {
  const httpd = await requireHttpd();
  const names = [
    "mod_access_compat",
    ...[...conf.matchAll(/^ *Use TsInterpreter (\S+)/gm)].map(([, pool]) => pool!),
  ];
  const [compat, ...pools] = names;
  writeServerRoot({
    directory: folder,
    httpd,
    host: "127.0.0.1",
    port: 1,
    modules: [...new Set([...defaultModules, compat!])].toSorted(),
    user: process.getuid?.() === 0 ? unprivilegedUser() : undefined,
    conf: [
      'Define MOD_TS_AUTHORIZER "127.0.0.1:9"',
      originDefines,
      `Include "${confFile}"`,
      ...pools.map((pool) => `Use TsPool ${pool}`),
      conf,
    ].join("\n"),
  });
  const main = join(folder, "httpd.conf");
  const { text } = await queryHttpd(httpd, ["-d", folder, "-t"], main);
  return { said: text, merged: new MergedConfig((await dumpConfig(httpd, main)) ?? "") };
}

function site(t: Test): { file: string; output: string } {
  const folder = temporaryFolder(t);
  const file = join(folder, "site.conf");
  writeFileSync(file, "PythonDebug On\n", { mode: 0o640 });
  return { file, output: join(folder, "site.mod_ts") };
}

t.test("nothing is overwritten, the original least of all", async (t) => {
  const { file, output } = site(t);
  t.match(await modTs("migrate", file), {
    code: 0,
    stderr: "",
    stdout: /1 line converted, 0 places/,
  });
  t.equal(readFileSync(file, "utf8"), "PythonDebug On\n");
  t.equal(statSync(join(output, "site.conf")).mode & 0o777, 0o640);
  writeFileSync(join(output, "mod-ts.config.ts"), "mine");
  t.match(await modTs("migrate", file), { code: 1, stderr: /MODTS_MIGRATION_EXISTS/ });
  t.equal(readFileSync(join(output, "mod-ts.config.ts"), "utf8"), "mine");
  t.match(await modTs("migrate", file, "--force"), { code: 0 });
  t.not(readFileSync(join(output, "mod-ts.config.ts"), "utf8"), "mine");
});

t.test(
  "skeletons are valid TypeScript, and the configuration of the sidecar is valid",
  async (t) => {
    // Beside the TypeScript of this project.
    const folder = t.testdir({
      pub: {
        "odd.py":
          "import x\nfrom y import __auth__\ndef new(req, default, type=None, a={'b': [1, 2]}, **kw):\n  def __access__(): pass\n" +
          "def delete(id=lambda a, b: a, name='it\\'s', raw=r'\\d', n=0x10): pass\ndef größe(a): pass\nclass Tree: pass\n",
        "page.psp": "<h1><%= x %></h1>\n<% for a in b: %>\n  <%= a %>\n<% # end %>\n",
      },
    });
    const file = join(folder, "site.conf");
    writeFileSync(
      file,
      `Alias /pub "${folder}/pub"
<Directory "${folder}/pub">
  AddHandler mod_python .py .psp
  PythonHandler mod_python.publisher | .py
  PythonHandler mod_python.psp | .psp
</Directory>
<Location /x>
  SetHandler mod_python
  PythonHandler a::deep.er b::Class.method c
  PythonAccessHandler a
  PythonLogHandler a
  PythonOutputFilter mask::it MASK
  SetInputFilter MASK
  PythonInterpreter wiki
  PythonAutoReload Off
</Location>
PythonImport warm::start main
<VirtualHost *:79>
  PythonConnectionHandler finger
</VirtualHost>
`,
    );
    const output = join(folder, "site.mod_ts");
    await modTs("migrate", file);
    t.match(await checkTypes([output]), [{ level: "ok" }]);
    const conf = await modTs("conf", output);
    t.match(conf, { code: 0, stderr: "", stdout: /^Use TsPool wiki$/m });
    for (const name of ["AUTHORIZER", "ORIGIN", "SECRET"])
      t.match(conf.stdout, `Define MOD_TS_${name} `);
  },
);

t.test("a dry run writes nothing", async (t) => {
  const { file, output } = site(t);
  const { code, stdout } = await modTs("migrate", file, "--dry-run");
  t.equal(code, 0);
  t.match(stdout, /==> site\.conf\n#PythonDebug On\nUse TsDebug On\n/);
  t.notOk(existsSync(output));
});

t.test("Attack: sources of a directory that Apache serves are not copied into it", async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, "www"));
  writeFileSync(join(folder, "www/.htaccess"), "PythonHandler a\n");
  writeFileSync(join(folder, "a.conf"), `DocumentRoot "${folder}/www"\n`);
  t.match(await modTs("migrate", join(folder, "www/.htaccess")), { code: 2, stderr: /--output/ });
  const inside = ["--output", join(folder, "www/new")];
  t.match(await modTs("migrate", join(folder, "a.conf"), ...inside), {
    code: 2,
    stderr: /--output/,
  });
  t.notOk(existsSync(join(folder, "www/new")));
  const outside = ["--output", join(folder, "new")];
  t.match(await modTs("migrate", join(folder, "www/.htaccess"), ...outside), { code: 0 });
});

t.test("a wrong command line", async (t) => {
  t.match(await modTs("migrate"), { code: 2, stderr: /expected the path/ });
  t.match(await modTs("migrate", "/nowhere/httpd.conf"), { code: 2, stderr: /no such file/ });
});

t.test("no link leads out of the directory that is written", async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, "site.conf");
  const output = join(folder, "out");
  const elsewhere = join(folder, "elsewhere");
  writeFileSync(file, "PythonAccessHandler ip\n");
  for (const path of [output, elsewhere]) mkdirSync(path);
  symlinkSync(join(elsewhere, "site.conf"), join(output, "site.conf"));
  t.match(await modTs("migrate", file, "--output", output), { code: 1, stderr: /already exists/ });
  symlinkSync(elsewhere, join(output, "handlers"));
  const forced = await modTs("migrate", file, "--output", output, "--force");
  t.match(forced, { code: 2, stderr: /handlers is a symbolic link/ });
  t.same(readdirSync(elsewhere), []);
});
