/**
 * A server laid out as on Red Hat and Fedora, with the binaries of Debian: /etc/httpd with conf, conf.d and conf.modules.d, the user
 * apache, their modules (mod_allowmethods among them), no a2enmod, no www-data. Its SELinux and its builds are not there.
 *
 * Needs the rights of root to make namespaces.
 */
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { hasModule } from "../../src/httpd/find.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { requireHttpd } from "../fixtures/httpd.ts";
import { makeSandbox } from "../fixtures/sandbox.ts";

const project = join(import.meta.dirname, "../..");
const made = await makeSandbox(t);
const skip = typeof made === "string" ? { skip: made } : {};

// conf.modules.d of Fedora and of Red Hat Enterprise Linux 9, without mod_systemd.
const base =
  "access_compat actions alias allowmethods auth_basic auth_digest authn_anon authn_core authn_dbd authn_dbm authn_file " +
  "authn_socache authz_core authz_dbd authz_dbm authz_groupfile authz_host authz_owner authz_user autoindex cache " +
  "cache_disk cache_socache data dbd deflate dir dumpio echo env expires ext_filter filter headers include info " +
  "log_config logio macro mime_magic mime negotiation remoteip reqtimeout request rewrite setenvif slotmem_plain " +
  "slotmem_shm socache_dbm socache_memcache socache_redis socache_shmcb status substitute suexec unique_id unixd " +
  "userdir version vhost_alias watchdog";
const modules: Record<string, string> = {
  "00-base.conf": base,
  "00-brotli.conf": "brotli",
  "00-dav.conf": "dav dav_fs dav_lock",
  "00-lua.conf": "lua",
  "00-mpm.conf": "mpm_event",
  "00-proxy.conf":
    "proxy lbmethod_bybusyness lbmethod_byrequests lbmethod_bytraffic lbmethod_heartbeat proxy_ajp proxy_balancer " +
    "proxy_connect proxy_express proxy_fcgi proxy_fdpass proxy_ftp proxy_http proxy_hcheck proxy_scgi proxy_uwsgi " +
    "proxy_wstunnel",
  "01-cgi.conf": "cgid",
  "10-h2.conf": "http2",
  "10-proxy_h2.conf": "proxy_http2",
};

const config = {
  handlers: ["handlers"],
  run: "/run/mod-ts",
  secret: "the-secret-of-red-hat",
  authorizer: { port: 9710, workers: 0 },
  pools: { main: { workers: 1 } },
  log: { format: "text" },
};
const site = `
<Location "/hello">
    Use TsHandler who.ts
</Location>
<Directory "/var/www/html/members">
    AuthType Basic
    AuthName "Members"
    Use TsAuthenHandler users.ts
    Use TsAccessHandler users.ts
    Require valid-user
</Directory>
<Directory "/var/www/html/typed">
    Use TsTypeHandler phases.ts
    Use TsFixupHandler phases.ts
</Directory>
Use TsOption mod_ts.login.store htpasswd
Use TsOption mod_ts.htpasswd.file /srv/site/users
Use TsOption mod_ts.login.location /login
<Location "/login">
    Use TsHandler mod_ts/login
</Location>
<Directory "/var/www/html/club">
    AuthType mod_ts
    Use TsAccessHandler users.ts::noted
    Use TsAuthenHandler mod_ts/login
    Use TsTicket
    Require mod_ts_ticket
</Directory>
`;

const functions = `set -e
modts() { node ${project}/src/cli/cli.ts "$@"; }
wait_for() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || { echo "never: $*"; cat /srv/log; exit 1; }
        sleep 0.1
    done
}`;
const asUser = "setpriv --reuid=995 --regid=995 --groups=995,48";

t.test("install, check, start, and a guard on a listing", skip, async (t) => {
  if (typeof made === "string") throw new Error(made);
  const sandbox = made;
  const httpd = await requireHttpd();
  const upper = join(sandbox.outside, "red-hat");
  for (const name of ["red-hat", "red-hat.work", "root"]) mkdirSync(join(sandbox.outside, name));
  const place = (path: string): string => {
    mkdirSync(dirname(join(upper, path)), { recursive: true });
    return join(upper, path);
  };
  const write = (path: string, text: string, mode = 0o644): void =>
    writeFileSync(place(path), text, { mode });

  cpSync(join(import.meta.dirname, "../fixtures/red-hat"), join(upper, "etc/httpd"), {
    recursive: true,
  });
  for (const [file, names] of Object.entries(modules)) {
    const there = names.split(" ").filter((name) => hasModule(httpd, `mod_${name}`));
    const loaded = there.filter((name) => !httpd.compiledIn.includes(`mod_${name}`));
    const lines = loaded.map((name) => `LoadModule ${name}_module modules/mod_${name}.so\n`);
    write(`etc/httpd/conf.modules.d/${file}`, lines.join(""));
  }
  const settings = `-e 's#HTTPD_ROOT=".*"#HTTPD_ROOT="/etc/httpd"#' -e 's#SERVER_CONFIG_FILE=".*"#SERVER_CONFIG_FILE="conf/httpd.conf"#'`;
  write(
    "usr/sbin/httpd",
    `#!/bin/sh
[ "$1" != -V ] || { /usr/libexec/httpd -V 2>/dev/null | sed ${settings}; exit 0; }
case " $* " in *" -f "*) exec /usr/libexec/httpd "$@" ;; esac
exec /usr/libexec/httpd -d /etc/httpd -f conf/httpd.conf "$@"
`,
    0o755,
  );
  copyFileSync(httpd.binary, place("usr/libexec/httpd"));
  write("usr/sbin/apachectl", '#!/bin/sh\nexec /usr/sbin/httpd -k "$@"\n', 0o755);
  write("etc/mime.types", "text/html html\ntext/plain txt\n");
  write("var/www/html/members/a.txt", "a");
  write("var/www/html/members/private.txt", "p");
  write("srv/site/mod-ts.config.json", JSON.stringify(config), 0o640);
  write("srv/site/apache.conf", site);
  write("srv/site/handlers/who.ts", handlerFile("who.ts"));
  write("srv/site/handlers/users.ts", handlerFile("red-hat/users.ts"));
  write("srv/site/handlers/phases.ts", handlerFile("red-hat/phases.ts"));
  // {SHA} of "secret": no time is lost with hashing here.
  write("srv/site/users", "john:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
  write("var/www/html/typed/a.txt", "typed");
  write("var/www/html/club/a.txt", "club");
  write("client.ts", handlerFile("red-hat/client.ts"));

  /** Runs a script as on that machine; what it has started ends with it. */
  const run = (script: string): string => {
    const root = join(sandbox.folder, "root");
    const node = `${dirname(process.execPath)}:${project}/node_modules/.bin`;
    const environment = `HOME=/root PATH=${node}:/usr/sbin:/usr/bin:/sbin:/bin`;
    write("script.sh", `${functions}\n${script}\n`);
    const layers = `lowerdir=/,upperdir=${upperInside},workdir=${upperInside}.work`;
    const outer = `mount -t overlay overlay -o ${layers} ${root}
for kept in ${project} ${dirname(process.execPath)}; do mkdir -p ${root}$kept; mount --bind $kept ${root}$kept; done
mount -t proc proc ${root}/proc; mount --rbind /dev ${root}/dev; mount -t tmpfs tmpfs ${root}/run
exec chroot ${root} env -i ${environment} sh /script.sh 2>&1`;
    return sandbox.run(`unshare --pid --fork --kill-child sh -ec '${outer}'`, "own");
  };
  const upperInside = join(sandbox.folder, "red-hat");

  run(`
    rm -rf /etc/apache2 /usr/sbin/apache2 /usr/sbin/apache2ctl /usr/sbin/a2*
    sed -i /www-data/d /etc/passwd /etc/group
    printf 'apache:x:48:48::/usr/share/httpd:/sbin/nologin\\nmod-ts:x:995:995::/nonexistent:/sbin/nologin\\n' >>/etc/passwd
    printf 'apache:x:48:mod-ts\\nmod-ts:x:995:\\n' >>/etc/group
    mkdir -p /var/log/httpd /usr/lib64/httpd /usr/share/httpd/icons /usr/share/httpd/noindex /var/www/cgi-bin
    ln -s ${httpd.moduleDirectory} /usr/lib64/httpd/modules
    ln -s ../../usr/lib64/httpd/modules /etc/httpd/modules
    ln -s ../../var/log/httpd /etc/httpd/logs
    ln -s /run/httpd /etc/httpd/run
    chown root:mod-ts /srv/site/mod-ts.config.json`);

  const installed = run("mkdir /run/httpd; modts conf /srv/site --install");
  t.match(installed, "/etc/httpd/conf.d/mod_ts.conf");
  t.match(installed, "/etc/httpd/mod_ts/apache.conf");
  t.notMatch(installed, "a2en", "there is no such command");
  const [load = ""] = /LoadModule authnz_fcgi_module \S+/.exec(installed) ?? [];
  t.equal(load, "LoadModule authnz_fcgi_module /etc/httpd/modules/mod_authnz_fcgi.so");
  t.match(installed, "conf.modules.d");
  t.match(installed, "/usr/sbin/httpd -t && apachectl graceful");
  const missing = run("mkdir /run/httpd; httpd -t || true");
  t.match(missing, /needs mod_authnz_fcgi.*LoadModule authnz_fcgi_module/, "httpd says it, too");
  write("etc/httpd/conf.modules.d/10-mod_ts.conf", `${load}\n`);

  const asked = [
    { path: "/hello" },
    { path: "/members/" },
    { path: "/members/", password: "wrong" },
    { path: "/members/", password: "secret" },
    { path: "/members/a.txt", password: "secret" },
    { path: "/members/private.txt", password: "secret" },
    { path: "/typed/a.txt" },
    { path: "/club/a.txt?before" },
    { path: "/login", user: "john", password: "wrong" },
    { path: "/club/a.txt?wrong" },
    { path: "/login", user: "john", password: "secret" },
    { path: "/club/a.txt?first", until: "mod_ts_ticket" },
    { path: "/club/a.txt?second" },
    { path: "/hello.ts" },
    { path: "/mod_ts/apache.conf" },
  ];
  const said = run(`
    mkdir /run/httpd; install -d -o mod-ts -g mod-ts /run/mod-ts
    httpd -t
    ${asUser} node ${project}/src/cli/cli.ts start /srv/site >/srv/log 2>&1 &
    wait_for grep -q ready /srv/log
    apachectl start
    wait_for test -s /run/httpd/httpd.pid
    node --disable-warning=ExperimentalWarning /client.ts '${JSON.stringify(asked)}'
    stat -c 'socket %G %a %n' /run/mod-ts/main.sock /run/mod-ts/decide.sock
    # Of the request for /hello.ts.
    wait_for grep -q MODTS_SOURCE_REQUESTED /srv/log
    cat /srv/log
    modts check /srv/site --url http://127.0.0.1/ || echo "check: $?"`);
  t.match(said, "Syntax OK");
  const lines = [...said.matchAll(/^\["\/.*\]$/gm)].map(
    ([line]) => JSON.parse(line) as [string, number, string, ...unknown[]],
  );
  const answers = new Map(lines.map(([path, status, body]) => [`${path} ${status}`, body]));
  t.match(answers.get("/hello 200"), '"pool":"main"');
  t.ok(answers.has("/members/ 401"), "without a password, and with a wrong one");
  const listing = answers.get("/members/ 200") ?? "";
  t.match(listing, 'href="a.txt"', "who may, sees the listing");
  t.notMatch(listing, "private.txt", "without the file that the guard refuses");
  t.equal(answers.get("/members/a.txt 200"), "a");
  t.ok(answers.has("/members/private.txt 403"));
  t.notOk(answers.has("/mod_ts/apache.conf 200"));
  t.match(said, '["/typed/a.txt",200,"typed","text/x-typed","yes",[]]', "type and fixup handlers");
  const club = lines.filter(([path]) => path.startsWith("/club/"));
  t.same(
    [...new Set(club.map(([path, status]) => `${path} ${status}`))],
    ["before 401", "wrong 401", "first 200", "second 200"].map((each) => `/club/a.txt?${each}`),
    "a login",
  );
  t.equal(said.match(/the club was asked/g)?.length, club.length - 1, "and then a ticket");
  t.match(said, "socket apache 660 /run/mod-ts/main.sock");
  t.match(said, "socket apache 660 /run/mod-ts/decide.sock");
  t.match(said, /^No problems found|^ok /m);
  t.notMatch(said, /^bad /m, said);
});
