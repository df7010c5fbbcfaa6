/** Deliberate mistakes in Apache's configuration: each is found, at its line, and nothing else is. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { originGuard } from "../../src/base/crypto.ts";
import type { SidecarAddresses } from "../../src/httpd/address-rules.ts";
import { checkSections } from "../../src/httpd/check-sections.ts";
import { readMergedConfig } from "../../src/httpd/merged-config.ts";
import { checkConfig, type SidecarFacts } from "../../src/httpd/check-config.ts";
import type { Finding, Rule } from "../../src/httpd/finding.ts";
import { defaultModules, writeServerRoot } from "../../src/httpd/server-root.ts";
import { confFile, requireHttpd } from "../fixtures/httpd.ts";

const facts: SidecarFacts = {
  headerBytes: 65_536,
  keepAlive: 30_000,
  secret: undefined,
  origin: undefined,
};

const addresses: SidecarAddresses = {
  file: "/srv/handlers/mod-ts.config.ts",
  run: "/run/mod-ts",
  pools: { main: "/run/mod-ts/main.sock", reports: "/run/mod-ts/reports.sock" },
  authorizer: 9,
  handlerTimeout: 60_000,
};

const before = `Define MOD_TS_AUTHORIZER 127.0.0.1:9
<Directory "\${FOLDER}/htdocs">
    AllowOverride None
</Directory>
`;

interface Setup {
  conf: string;
  /** Before `mod_ts.conf`. */
  settings?: string;
  /** Contents by path below the directory of the server. */
  files?: Readonly<Record<string, string>>;
  /** Mode of the configuration file. */
  mode?: number;
  /** Directory of the handlers, below that of the server. */
  handlers?: string;
  /** Besides the usual ones. */
  modules?: readonly string[];
  /** Name and secret of the sidecar that is checked. */
  sidecar?: { name: string; secret: string; origin?: { guard: string; requestWorkers: number } };
  /** Without mod_proxy_scgi, Apache asks nobody before its own content. */
  hasDecider?: boolean;
}

async function check(
  t: Test,
  {
    conf,
    settings = before,
    files = {},
    mode,
    handlers,
    modules: more = [],
    hasDecider = true,
    sidecar,
  }: Setup,
): Promise<Finding[]> {
  const directory = t.testdir({});
  const httpd = await requireHttpd();
  const modules = [...new Set([...defaultModules, "mod_access_compat", ...more])]
    .filter((name) => hasDecider || name !== "mod_proxy_scgi")
    .toSorted();
  const include = `Define FOLDER "${directory}"\nInclude "${directory}/settings.conf"\nInclude "${confFile}"\nInclude "${directory}/own.conf"`;
  const server = { directory, httpd, host: "127.0.0.1", port: 1, modules, user: undefined };
  writeServerRoot({ ...server, conf: include });
  mkdirSync(join(directory, "htdocs/a/b"), { recursive: true });
  const written = { "own.conf": conf, "settings.conf": settings, ...files };
  for (const [name, text] of Object.entries(written)) writeFileSync(join(directory, name), text);
  if (mode !== undefined) chmodSync(join(directory, "own.conf"), mode);
  const file = join(directory, "httpd.conf");
  const config = await readMergedConfig(httpd, file);
  const roots = handlers === undefined ? ["/srv/handlers"] : [join(directory, handlers)];
  const findings = [
    ...(await checkConfig(httpd, { ...facts, ...sidecar }, file)),
    ...(config ? checkSections(config, { ...addresses, ...sidecar, handlers: roots }) : []),
  ];
  // The missing module is a finding of its own.
  return findings.filter(({ level, rule }) => level !== "ok" && (hasDecider || rule));
}

/** A section with `AuthType` and a login handler. */
function guarded(head: string, ...lines: string[]): string {
  const [name = ""] = head.split(" ");
  const content = ["AuthType mod_ts", "Use TsAuthenHandler users.ts", ...lines];
  return `<${head}>\n${content.map((line) => `    ${line}\n`).join("")}</${name}>\n`;
}

const members = guarded('Location "/members"', "Require valid-user");
const reports = guarded('Location "/reports"', "Require valid-user");
const open = '<Directory "${FOLDER}/htdocs">\n    Require all granted\n</Directory>\n';

const hello = '<Location "/hello">\n    Use TsHandler hello.ts\n</Location>\n';

interface Mistake extends Setup {
  rule: Rule;
  /** The line that is reported: the last one that begins with this. Empty: the file as a whole. */
  at: string;
}

const mistakes: Readonly<Record<string, Mistake>> = {
  "a guard without Require": {
    rule: "guard-closed",
    conf: open + guarded('Location "/members"'),
    at: "Use TsAuthenHandler",
  },
  "a guard without Require in a directory": {
    rule: "guard-closed",
    conf: open + guarded('Directory "${FOLDER}/htdocs/a"', "Require all denied"),
    at: "Use TsAuthenHandler",
  },
  "a guard beside Require all granted": {
    rule: "guard-open",
    conf: guarded('Location "/members"', "Require all granted"),
    at: "Require all granted",
  },
  "a guard beside Require valid-user and Require all granted": {
    rule: "guard-open",
    conf: guarded('Location "/members"', "Require valid-user", "Require all granted"),
    at: "Require all granted",
  },
  "a guard beside Require all granted in RequireAny": {
    rule: "guard-open",
    conf: guarded(
      'LocationMatch "^/m"',
      "<RequireAny>",
      "Require all granted",
      "Require valid-user",
      "</RequireAny>",
    ),
    at: "<RequireAny>",
  },
  "a guard that a later section of the same address opens": {
    rule: "guard-open",
    conf: `${members}<Location "/members">\n    Require all granted\n</Location>\n`,
    at: "Require all granted",
  },
  "a guarded directory that a Location opens": {
    rule: "guard-open",
    conf: `${guarded('Directory "${FOLDER}/htdocs/a"', "Require valid-user")}<Location "/">\n    Require all granted\n</Location>\n`,
    at: "Require all granted",
  },
  "a guard of the main server that a virtual host opens": {
    rule: "guard-open",
    conf: `${members}<VirtualHost *:1>\n<Location "/members">\n    Require all granted\n</Location>\n</VirtualHost>\n`,
    at: "Require all granted",
  },
  "a guard in a macro of the administrator": {
    rule: "guard-open",
    conf: `<Macro Guarded $path>\n${guarded('Location "$path"', "Require all granted")}</Macro>\nUse Guarded /members\n`,
    at: "Require all granted",
  },
  "a part of a guarded address that is open": {
    rule: "guard-opened-below",
    conf: `${members}<Location "/members/news">\n    Require all granted\n</Location>\n`,
    at: "Require all granted",
  },
  "a file in a guarded directory that is open": {
    rule: "guard-opened-below",
    conf: guarded(
      'Directory "${FOLDER}/htdocs/a"',
      "Require valid-user",
      '<Files "robots.txt">',
      "Require all granted",
      "</Files>",
    ),
    at: "Require all granted",
  },
  "Satisfy any": {
    rule: "guard-satisfy-any",
    conf: guarded('Location "/members"', "Require valid-user", "Satisfy Any"),
    at: "Satisfy Any",
  },
  "Satisfy any of an outer section": {
    rule: "guard-satisfy-any",
    conf: `<Location "/">\n    Satisfy any\n</Location>\n${members}`,
    at: "Satisfy any",
  },
  "a guard that an address passes": {
    rule: "guard-unasked",
    conf: guarded('Location "/members"', "Require ip 10.0.0.0/8"),
    at: "Use TsAuthenHandler",
  },
  "an authz handler without Require": {
    rule: "guard-unasked",
    conf: `${open}<Location "/reports">\n    AuthType Basic\n    AuthName "Reports"\n    Use TsAuthzHandler reports.ts\n</Location>\n`,
    at: "Use TsAuthzHandler",
  },
  "an authz handler beside Require all granted": {
    rule: "guard-open",
    conf: `<Location "/reports">\n    AuthType Basic\n    Use TsAuthzHandler reports.ts\n    Require all granted\n</Location>\n`,
    at: "Require all granted",
  },
  "an authz handler where nobody logs in": {
    rule: "guard-no-authentication",
    conf: `<Location "/reports">\n    AuthType mod_ts\n    Use TsAuthzHandler reports.ts\n    Require valid-user\n</Location>\n`,
    at: "Use TsAuthzHandler",
  },
  "an authz handler without AuthType": {
    rule: "guard-no-authentication",
    conf: `<Location "/reports">\n    Use TsAuthzHandler reports.ts\n    Require mod_ts\n</Location>\n`,
    at: "Use TsAuthzHandler",
  },
  "a provider that is not named": {
    rule: "provider-unused",
    conf: `<Location "/archive">\n    AuthType Basic\n    AuthName "Archive"\n    AuthBasicProvider file\n    AuthUserFile /etc/apache2/users\n    Use TsAuthBasicProvider users.ts\n    Require valid-user\n</Location>\n`,
    at: "Use TsAuthBasicProvider",
  },
  "a provider beside others of which it knows nothing": {
    rule: "provider-others",
    conf: `<Location "/archive">\n    AuthType Basic\n    AuthName "Archive"\n    AuthBasicProvider file mod_ts\n    AuthUserFile /etc/apache2/users\n    Use TsAuthBasicProvider users.ts\n    Require valid-user\n</Location>\n`,
    at: "Use TsAuthBasicProvider",
  },
  "LimitExcept alone": {
    rule: "guard-limited",
    conf: guarded(
      'Location "/members"',
      "<LimitExcept GET POST>",
      "Require valid-user",
      "</LimitExcept>",
    ),
    at: "<LimitExcept",
  },
  "several guards, and a method that skips them": {
    rule: "guard-limited",
    conf: guarded(
      'Location "/members"',
      "Use TsAccessHandler office.ts",
      "<LimitExcept GET>",
      "Require valid-user",
      "</LimitExcept>",
      "<Limit GET>",
      "Require all granted",
      "</Limit>",
    ),
    at: "<Limit GET>",
  },
  "a header parser on content of Apache": {
    rule: "phase-never-runs",
    hasDecider: false,
    conf: '<Location "/static">\n    Use TsHeaderParserHandler check.ts\n</Location>\n',
    at: "Use TsHeaderParserHandler",
  },
  "a header parser on content of Apache, with callbacks": {
    rule: "phase-by-callback",
    hasDecider: false,
    settings: `${before}Define MOD_TS_SECRET 0123456789abcdef\nDefine MOD_TS_ORIGIN ${originGuard("0123456789abcdef")}\n`,
    conf: '<Location "/static">\n    Use TsHeaderParserHandler check.ts\n</Location>\n',
    at: "Use TsHeaderParserHandler",
  },
  "an init handler on guarded content of Apache": {
    rule: "phase-never-runs",
    hasDecider: false,
    conf: guarded('Location "/members"', "Require valid-user", "Use TsInitHandler init.ts"),
    at: "Use TsInitHandler",
  },
  "a fixup handler on content of Apache": {
    rule: "phase-never-runs",
    hasDecider: false,
    conf: '<Directory "${FOLDER}/htdocs/a">\n    Use TsFixupHandler fix.ts\n</Directory>\n<Location "/hello">\n    Use TsHandler hello.ts\n</Location>\n',
    at: "Use TsFixupHandler",
  },
  "a log handler on content of Apache": {
    rule: "phase-never-runs",
    conf: '<Location "/static">\n    Use TsLogHandler log.ts\n</Location>\n',
    at: "Use TsLogHandler",
  },
  "a password in an option": {
    rule: "option-password",
    conf: "Use TsOption mod_ts.sql.dsn mysql://app:hunter2@db/x\nUse TsOption a secret:db\n",
    at: "Use TsOption mod_ts.sql",
  },
  "an option of a guard in a nested section": {
    rule: "option-not-bound",
    conf: `<Directory "\${FOLDER}/htdocs/a">\n    AuthType mod_ts\n    Use TsAuthenHandler mod_ts/htpasswd\n    Require valid-user\n    <Files "*.pdf">\n        Use TsOption mod_ts.htpasswd.file staff\n    </Files>\n</Directory>\n`,
    at: "Use TsOption",
  },
  "another run directory": {
    rule: "run-differs",
    settings: `${before}Define MOD_TS_RUN /run/other\n`,
    conf: hello,
    at: "Define MOD_TS_RUN",
  },
  "another port of the authorizer": {
    rule: "authorizer-differs",
    settings: before.replace(":9\n", ":10\n"),
    conf: members,
    at: "Define MOD_TS_AUTHORIZER",
  },
  "a timeout below that of handlers": {
    rule: "timeout-short",
    settings: `${before}Define MOD_TS_TIMEOUT 60\n`,
    conf: hello,
    at: "Define MOD_TS_TIMEOUT",
  },
  "a port where no pool listens": {
    rule: "pool-unknown",
    conf: "Use TsTcpPool admin 127.0.0.1:9701\n",
    at: "Use TsTcpPool",
  },
  "a pool that the sidecar does not have": {
    rule: "pool-unknown",
    conf: 'Use TsPool report\n<Location "/r">\n    Use TsHandler r.ts\n    Use TsInterpreter report\n</Location>\n',
    at: "Use TsPool",
  },
  "ProxyPass of the whole host": {
    rule: "handler-behind-proxy",
    conf: `ProxyPass "/" "http://127.0.0.1:8080/"\n${hello}`,
    at: "ProxyPass",
  },
  "ProxyPassMatch of an address": {
    rule: "handler-behind-proxy",
    conf: `<VirtualHost *:1>\n    ProxyPassMatch "^/hel" "http://127.0.0.1:8080"\n${hello}</VirtualHost>\n`,
    at: "ProxyPassMatch",
  },
  "RewriteRule with [P]": {
    rule: "handler-behind-proxy",
    conf: `RewriteEngine On\nRewriteRule "^/x" "-" [L]\nRewriteRule "^/(.*)" "http://127.0.0.1:8080/$1" [P,L]\n${hello}`,
    at: 'RewriteRule "^/(',
  },
  "a configuration file that Apache serves": {
    rule: "include-served",
    conf: `Alias "/app" "\${FOLDER}"\n<Directory "\${FOLDER}">\n    Require all granted\n</Directory>\n<FilesMatch "^(httpd|settings)">\n    Require all denied\n</FilesMatch>\n`,
    at: "",
  },
  "a configuration file that everybody may write": {
    rule: "include-writable",
    conf: hello,
    mode: 0o646,
    at: "",
  },
  "handlers in the document root": {
    rule: "handlers-served",
    conf: `${open}DocumentRoot "\${FOLDER}/htdocs/"\n`,
    handlers: "htdocs/a",
    at: "DocumentRoot",
  },
  "a database in the document root": {
    rule: "file-served",
    conf: `${open}<Directory "\${FOLDER}/htdocs/a/b">\n    Require all denied\n</Directory>\nAlias "/c" "\${FOLDER}/htdocs"`,
    files: {
      "htdocs/a/users.db": "SQLite format 3\0",
      "htdocs/a/b/x.db": "SQLite format 3\0",
      "htdocs/y.db": "text",
    },
    at: "Alias",
  },
  "a private key in the document root": {
    rule: "file-served",
    conf: `${open}Alias "/c" "\${FOLDER}/htdocs"`,
    files: {
      "htdocs/server.pem": "-----BEGIN PRIVATE KEY-----",
      "htdocs/public.pem": "-----BEGIN CERTIFICATE-----",
    },
    at: "Alias",
  },
  "a source of Python beside pages": {
    rule: "file-served",
    conf: `Alias "/app" "\${FOLDER}/htdocs/a"\n<Directory "\${FOLDER}/htdocs/a">\n    Require all granted\n    <Files "*.tsp">\n        Use TsHandler mod_ts/pages\n    </Files>\n</Directory>\n`,
    files: { "htdocs/a/stock.py": "password = 'x'", "htdocs/a/b/page.tsp": "" },
    at: "Alias",
  },
  "ProxyPass to the sidecar": {
    rule: "proxy-to-sidecar",
    conf: `${open}ProxyPass "/x" "unix:/run/mod-ts/main.sock|http://main.mod-ts/"\n`,
    at: "ProxyPass",
  },
  "a handler in a directory that the distribution denies": {
    rule: "handler-denied",
    conf: `Alias "/app" "/srv/app"\n<Directory "/srv/app">\n    Use TsHandler mod_ts/publisher\n</Directory>\n`,
    at: "Use TsHandler",
  },
  "ProxyPreserveHost Off": {
    rule: "preserve-host",
    conf: `${open}<Location "/hello">\n    Use TsHandler hello.ts\n    ProxyPreserveHost Off\n</Location>\n`,
    at: "ProxyPreserveHost",
  },
  "MergeSlashes Off": {
    rule: "merge-slashes",
    conf: `MergeSlashes Off\n${members}`,
    at: "MergeSlashes",
  },
  "TsDebug On": {
    rule: "debug-on",
    conf: "Use TsDebug On\n",
    at: "Use TsDebug",
  },
  "AllowOverride where a guard is": {
    rule: "htaccess-below-guard",
    conf: guarded(
      'Directory "${FOLDER}/htdocs/a"',
      "AllowOverride Indexes AuthConfig",
      "Require valid-user",
    ),
    at: "AllowOverride",
  },
  "AllowOverride below a guard": {
    rule: "htaccess-below-guard",
    conf: `${guarded('Location "/a"', "Require valid-user")}<Directory "\${FOLDER}/htdocs/a/b">\n    AllowOverride FileInfo\n</Directory>\n`,
    at: "AllowOverride",
  },
  "a header of ours that a line sets": {
    rule: "header-ours",
    conf: `${hello}<Location "/hello">\n    RequestHeader set Mod-Ts-Context "x"\n</Location>\n`,
    at: "RequestHeader",
  },
  "a header of ours that a line removes": {
    rule: "header-ours",
    conf: `${hello}RequestHeader unset mod-ts-config\n`,
    at: "RequestHeader",
  },
  "a response header of ours that a line removes": {
    rule: "header-ours",
    conf: `${hello}Header always unset Mod-Ts-Origin\n`,
    at: "Header",
  },
  "mod_cache in front of a guard": {
    rule: "cache-first",
    modules: ["mod_cache"],
    conf: `CacheEnable disk "/"\n${members}`,
    at: "CacheEnable",
  },
  "mod_cache in front of a handler": {
    rule: "cache-first",
    modules: ["mod_cache"],
    conf: `CacheEnable disk "/hel"\nCacheEnable disk "/hello"\n${hello}`,
    at: 'CacheEnable disk "/hello"',
  },
  "mod_cache that keeps private pages": {
    rule: "cache-shares",
    modules: ["mod_cache"],
    conf: `CacheEnable disk "/"\nCacheStorePrivate On\n${members}`,
    at: "CacheStorePrivate",
  },
  "mod_cache behind access control that keeps private pages": {
    rule: "cache-shares",
    modules: ["mod_cache"],
    conf: `CacheQuickHandler Off\n<Location "/">\n    CacheEnable disk\n    CacheStorePrivate On\n</Location>\n${members}`,
    at: "CacheStorePrivate",
  },
  "mod_cache, and a line that makes guarded pages public": {
    rule: "cache-shares",
    modules: ["mod_cache"],
    conf: `CacheEnable disk "/"\n${guarded('Location "/members"', "Require valid-user", 'Header always set Cache-Control "max-age=600"')}`,
    at: "Header always set",
  },
  "a page for 401 behind another guard": {
    rule: "error-page-refused",
    conf: `ErrorDocument 401 /members/login.html\n${members}${reports}`,
    at: "ErrorDocument",
  },
  "a page for 403 behind another guard, in a section": {
    rule: "error-page-refused",
    conf: `${members}${guarded('Location "/reports"', "Require valid-user", "ErrorDocument 403 /members/no.html")}`,
    at: "ErrorDocument",
  },
  "a page for 503 behind a guard": {
    rule: "error-page-refused",
    conf: `ErrorDocument 503 /members/down.html\n${members}${reports}`,
    at: "ErrorDocument",
  },
  "a page for 503 that a handler makes": {
    rule: "error-page-refused",
    conf: `ErrorDocument 503 /hello?down\n${hello}`,
    at: "ErrorDocument",
  },
  "a Redirect of the address of a handler": {
    rule: "address-taken",
    conf: `Redirect permanent "/hel" "http://other.example/"\nRedirect "/hello" "http://other.example/hello"\n${hello}`,
    at: 'Redirect "/hello"',
  },
  "a RedirectMatch of the address of a handler": {
    rule: "address-taken",
    conf: `RedirectMatch gone "^/h"\n${hello}`,
    at: "RedirectMatch",
  },
  "a RewriteRule that leads past a handler": {
    rule: "address-taken",
    conf: `RewriteEngine On\nRewriteRule "^/(?!static)" "/index.php" [PT]\n${hello}`,
    at: "RewriteRule",
  },
  "a RewriteRule that refuses the address of a handler": {
    rule: "address-taken",
    conf: `RewriteEngine On\nRewriteRule "^/hello" "-" [F]\n${hello}`,
    at: "RewriteRule",
  },
  "a RewriteRule that leads around a guard": {
    rule: "address-taken",
    conf: `${open}RewriteEngine On\nRewriteRule "^/members(.*)" "/files$1" [PT]\n${members}`,
    at: "RewriteRule",
  },
  "ProxyPass of the only virtual host": {
    rule: "handler-behind-proxy",
    conf: `${hello}<VirtualHost *:1>\n    ProxyPass "/" "http://127.0.0.1:8080/"\n</VirtualHost>\n`,
    at: "ProxyPass",
  },
  "a Redirect beside a handler": {
    rule: "address-taken",
    conf: hello.replace("</", '    Redirect "http://other.example/"\n</'),
    at: "Redirect",
  },
  "a RewriteRule beside a handler": {
    rule: "address-taken",
    conf: hello.replace("</", '    RewriteEngine On\n    RewriteRule "^" "/index.php"\n</'),
    at: "RewriteRule",
  },
  "a filter of Apache beside one of the sidecar": {
    rule: "filter-twice",
    hasDecider: false,
    modules: ["mod_substitute"],
    settings: `${before}Define MOD_TS_SECRET 0123456789abcdef\nDefine MOD_TS_ORIGIN ${originGuard("0123456789abcdef")}\n`,
    conf: '<Location "/news">\n    Use TsOutputFilter mask.ts\n    SetOutputFilter SUBSTITUTE\n</Location>\n',
    at: "SetOutputFilter",
  },
  "DAV beside a handler": {
    rule: "dav-beside-handler",
    modules: ["mod_dav", "mod_dav_fs"],
    conf: `DavLockDB "\${FOLDER}/lock"\n<Directory "\${FOLDER}/htdocs/a">\n    Use TsHandler mod_ts/publisher\n    Dav On\n</Directory>\n`,
    at: "Dav On",
  },
  "DAV beside a fixup handler": {
    rule: "dav-beside-handler",
    modules: ["mod_dav", "mod_dav_fs"],
    conf: `DavLockDB "\${FOLDER}/lock"\n<Location "/">\n    Dav On\n</Location>\n<Location "/a">\n    Use TsFixupHandler fix.ts\n</Location>\n`,
    at: "Dav On",
  },
};

const further =
  "Use TsAddSidecar blog /run/mod-ts 0123456789abcdef\nUse TsAddAuthorizer blog 127.0.0.1:9\nUse TsAddPool blog reports\n";
const several = `${further}Use TsSidecar blog "\${FOLDER}/blog.conf"\n`;

for (const [name, { rule, at, ...setup }] of Object.entries(mistakes)) {
  const { conf, settings, mode } = setup;
  if (mode !== undefined && process.geteuid?.() !== 0) continue;
  t.test(`found: ${name}`, async (t) => {
    const isInSettings = settings?.includes(at) ?? false;
    const lines = (isInSettings ? (settings as string) : conf).split("\n");
    const line = lines.findLastIndex((each) => each.trim().startsWith(at)) + 1;
    const [found, ...more] = await check(t, setup);
    t.equal(found?.rule, rule, found?.what ?? name);
    const place = at === "" ? "" : `:${line}(?: \\(macro .*:${lines.length - 1}\\))?`;
    const file = isInSettings ? "settings" : "own";
    t.match(found?.where, new RegExp(`/${file}\\.conf${place}$`));
    t.ok(found?.todo);
    t.same(more, []);
    t.notMatch(JSON.stringify(found), "hunter2");
  });
}

const mixed: Readonly<Record<string, [main: string, blog: string, rules: Rule[]]>> = {
  "guards of two sidecars": [
    members,
    members.replace("/members", "/members/a"),
    ["sidecars-mixed"],
  ],
  "a guard of one, a fixup handler of the other": [
    members,
    '<Location "/members/a">\n    Use TsFixupHandler a.ts\n</Location>\n',
    ["sidecars-mixed"],
  ],
  "phases of two sidecars": [
    '<Location "/hello">\n    Use TsInitHandler a.ts\n</Location>\n',
    hello,
    [],
  ],
  "a guard of one before content and phases of the other": [
    members,
    '<Location "/members/a">\n    Use TsHandler a.ts\n    Use TsFixupHandler a.ts\n    Use TsInterpreter reports\n</Location>\n',
    [],
  ],
  "a provider of the other": [
    "",
    '<Location "/archive">\n    AuthType Basic\n    AuthName "Archive"\n    AuthBasicProvider file mod_ts-blog\n    AuthUserFile /etc/apache2/users\n    Use TsAuthBasicProviderAmong users.ts "user ann"\n    Require valid-user\n</Location>\n',
    [],
  ],
};

for (const [name, [main, blog, found]] of Object.entries(mixed)) {
  t.test(`several sidecars: ${name}`, async (t) => {
    const setup = { conf: main + several, files: { "blog.conf": blog } };
    t.same(
      (await check(t, setup)).map(({ rule }) => rule),
      found,
    );
  });
}

t.test("several sidecars: each is compared with its own lines", async (t) => {
  const files = { "blog.conf": hello };
  const secret = "0123456789abcdef";
  const blog = { name: "blog", secret };
  t.same(await check(t, { conf: several, files, mode: 0o600, sidecar: blog }), []);
  const other = await check(t, {
    conf: several,
    files,
    mode: 0o600,
    sidecar: { ...blog, secret: "another-secret-0" },
  });
  t.match(other, [{ what: /secret .* differs/ }]);
  const unknown = await check(t, { conf: hello, sidecar: { name: "shop", secret } });
  t.match(unknown, [{ what: /TsAddSidecar shop is missing/ }, { rule: "sidecar-unknown" }]);
  const origin = { guard: "0".repeat(32), requestWorkers: 1 };
  const calling = (guard: string) =>
    check(t, {
      conf: `${further}Use TsAddCallbacks blog ${guard}\n<VirtualHost *>\n    ServerName b\n    Use TsSidecarHost blog "\${FOLDER}/blog.conf"\n</VirtualHost>\n`,
      files,
      mode: 0o600,
      sidecar: { ...blog, origin },
    });
  t.same(await calling(origin.guard), []);
  t.match(await calling("1".repeat(32)), [{ what: /TsAddCallbacks blog does not match/ }]);
});

const right: Readonly<Record<string, string>> = {
  "a guard": members,
  "a guard with Require valid-user in an inner section":
    open +
    guarded('Directory "${FOLDER}/htdocs/a"', '<Files "*.pdf">', "Require valid-user", "</Files>"),
  "a guard with Require valid-user in a later section": `${guarded('Directory "${FOLDER}/htdocs/a"')}<Location "/a/b">\n    Require user ann\n</Location>\n`,
  "a guard that all but one file needs, by expression": guarded(
    'Location "/members"',
    "Require all granted",
    '<If "%{REQUEST_URI} !~ m#^/members/public#">',
    "Require valid-user",
    "</If>",
  ),
  "a guard or an address": guarded(
    'Location "/members"',
    "<RequireAny>",
    "Require ip 10.0.0.0/8",
    "Require valid-user",
    "</RequireAny>",
  ),
  "a guard and an address": guarded(
    'Location "/members"',
    "<RequireAll>",
    "Require all granted",
    "Require local",
    "Require valid-user",
    "</RequireAll>",
  ),
  "a guard inside of an open directory":
    open + guarded('Directory "${FOLDER}/htdocs/a"', "Require valid-user"),
  "a guard of all but the login page": `${guarded('Location "/"', "Require valid-user")}<Location "/login">\n    Use TsHandler mod_ts/login\n    Require all granted\n</Location>\n`,
  "a guard of one host, an open address of another": `<VirtualHost *:1>\nServerName a\n${members}</VirtualHost>\n<VirtualHost *:1>\nServerName b\n<Location "/members">\n    Require all granted\n</Location>\n</VirtualHost>\n`,
  "Satisfy any for addresses": guarded(
    'Location "/members"',
    "Require valid-user",
    "Satisfy any",
    "Order deny,allow",
    "Deny from all",
    "Allow from 10.0.0.0/8",
  ),
  "an authz handler behind a password file": `<Location "/reports">\n    AuthType Basic\n    AuthName "Reports"\n    AuthUserFile /etc/apache2/users\n    Use TsAuthzHandler reports.ts\n    Require valid-user\n</Location>\n`,
  "an authz handler inside of another guard": `${members}<Location "/members/staff">\n    Use TsAuthzHandler staff.ts\n</Location>\n`,
  "a provider beside others": `<Location "/archive">\n    AuthType Basic\n    AuthName "Archive"\n    AuthBasicProvider file mod_ts\n    AuthUserFile /etc/apache2/users\n    Use TsAuthBasicProviderAmong users.ts "user ann"\n    Require valid-user\n</Location>\n`,
  "a guard for writing": guarded(
    'Location "/members"',
    "<LimitExcept GET HEAD>",
    "Require valid-user",
    "</LimitExcept>",
    "<Limit GET HEAD>",
    "Require all granted",
    "</Limit>",
  ),
  "phases beside a handler of an inner or outer section": `<Location "/app">\n    Use TsHeaderParserHandler check.ts\n    Use TsLogHandler log.ts\n</Location>\n<Location "/app/page">\n    Use TsHandler page.ts\n</Location>\n<Directory "\${FOLDER}/htdocs">\n    Use TsHandler mod_ts/publisher\n    <Files "*.html">\n        Use TsTypeHandler type.ts\n    </Files>\n</Directory>\n`,
  "a header parser before content of Apache, with a decider":
    '<Location "/static">\n    Use TsHeaderParserHandler check.ts\n</Location>\n',
  "a fixup handler beside a guard": guarded(
    'Location "/members"',
    "Require valid-user",
    "Use TsFixupHandler fix.ts",
  ),
  "the pools of the sidecar": "Use TsPool reports\n",
  "a balancer in place of the socket":
    'SetEnvIfExpr "true" "MOD_TS_BACKEND=proxy:balancer://sidecars"\n',
  "ProxyPass of another address": `ProxyPass "/wiki" "http://127.0.0.1:8080/wiki"\nProxyPass "/hello" "!"\nProxyPass "/" "http://127.0.0.1:8080/"\n${hello}`,
  "ProxyPass of another host": `${hello}<VirtualHost *:1>\n    ProxyPass "/" "http://127.0.0.1:8080/"\n</VirtualHost>\n<VirtualHost *:1>\n    ServerName other\n</VirtualHost>\n`,
  "a guard in front of ProxyPass": `ProxyPass "/members" "http://127.0.0.1:8080/"\n${members}`,
  "RewriteRule with [P] for some": `RewriteEngine On\nRewriteCond "%{REQUEST_METHOD}" "POST"\nRewriteRule "^/(.*)" "http://127.0.0.1:8080/$1" [P,L]\n${hello}`,
  "a line for the sidecar, written by hand": `${hello}RequestHeader append Mod-Ts-Config "\\toption greeting hello"\n`,
  "mod_cache for something else": `CacheEnable disk "/static"\n${members}${hello}`,
  "mod_cache that leaves guards out": `CacheEnable disk "/"\nCacheDisable "/members"\n${members}`,
  "mod_cache behind access control": `CacheEnable disk "/"\nCacheQuickHandler Off\n${members}${hello}`,
  "pages for errors outside of the guard": `ErrorDocument 401 /login.html\nErrorDocument 403 "No."\nErrorDocument 503 https://status.example/\n${members}`,
  "a page of the guard's own section": `ErrorDocument 401 /members/login.html\nErrorDocument 503 /members/down.html\n${members}`,
  "a handler as page for 404": `ErrorDocument 404 /hello\n${hello}`,
  "from HTTP to HTTPS": `<VirtualHost *:1>\n    Redirect "/" "https://site.example/"\n${hello}</VirtualHost>\n`,
  "rules for other addresses, or for some requests": `Redirect "/old" "/hello"\nRewriteEngine On\nRewriteRule "^/hello$" "/hello/" [R]\nRewriteCond "%{DOCUMENT_ROOT}%{REQUEST_URI}" !-f\nRewriteRule "^" "/index.php"\n${hello}`,
  "a RewriteRule inside of a guard": `${open}RewriteEngine On\nRewriteRule "^/members$" "/members/index.html"\n${members}`,
  "RewriteRules that change the file, not the address": `${open}RewriteEngine On\nRewriteRule "^/members(.*)" "/files$1"\nRewriteRule "^/hello" "/index.php" [L]\n${members}${hello}`,
  "a header of a guard that does not replace its own": `CacheEnable disk "/"\nCacheQuickHandler Off\n${guarded('Location "/members"', "Require valid-user", 'Header set Cache-Control "max-age=600"')}`,
  "a redirect of a guarded address": `Redirect "/members" "http://other.example/"\n${members}`,
  "DAV behind a guard": `DavLockDB "\${FOLDER}/lock"\n${guarded('Location "/members"', "Require valid-user", "Dav On")}<Location "/hello">\n    Dav Off\n    Use TsHandler hello.ts\n</Location>\n`,
  "AllowOverride where no guard is": `${members}<Directory "\${FOLDER}/htdocs/a">\n    AllowOverride All\n</Directory>\n`,
};

for (const [name, conf] of Object.entries(right)) {
  const modules = /^\s*(?:Cache|Dav)/m.test(conf) ? ["mod_cache", "mod_dav", "mod_dav_fs"] : [];
  t.test(`right: ${name}`, async (t) => t.same(await check(t, { conf, modules }), []));
}

t.test("right: a page for 401 that the guard leaves open", async (t) => {
  const conf = `ErrorDocument 401 /members/login.html\n${members}<Location "/members/login.html">\n    Require all granted\n</Location>\n`;
  const found = await check(t, { conf });
  t.same(
    found.map(({ rule }) => rule),
    ["guard-opened-below"],
  );
});

/** Without what names paths of the image. */
function contentOf(name: string): string {
  const text = readFileSync(join(import.meta.dirname, "../../docker/apache", name), "utf8");
  const [, content = text] = text.split("# == Content ==");
  return content.replaceAll(
    /^(?:Include|TypesConfig|LoadModule|Define MOD_TS_(?:RUN|AUTHORIZER)) .*$/gm,
    "",
  );
}

for (const name of ["demo.conf", "production.conf"]) {
  t.test(`right: the container stack with ${name}`, async (t) => {
    const conf = `${contentOf("httpd.conf")}\n${contentOf(name)}`;
    const more = ["mod_proxy_balancer", "mod_slotmem_shm", "mod_lbmethod_bybusyness"];
    const settings = name === "demo.conf" ? before : `${before}\nDefine MOD_TS_BALANCER\n`;
    const found = await check(t, { conf, settings, modules: more });
    // The demo shows errors, and its password is in the repository.
    const known = name === "demo.conf" ? ["debug-on", "option-password"] : [];
    t.same(found.map(({ rule }) => rule).toSorted(), known);
  });
}

t.test("right: a source of Python where a handler refuses it", async (t) => {
  const conf = `<Directory "\${FOLDER}/htdocs/a">\n    Require all granted\n    Use TsHandler mod_ts/publisher\n</Directory>\n`;
  t.same(await check(t, { conf, files: { "htdocs/a/stock.py": "password = 'x'" } }), []);
});

t.test("right: the examples", async (t) => {
  const examples = join(import.meta.dirname, "../../examples");
  const conf = readFileSync(join(examples, "apache.conf"), "utf8");
  t.same(await check(t, { conf: `Define MOD_TS_DIRECTORY "${examples}"\n${conf}` }), []);
});
