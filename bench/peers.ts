/**
 * The competitors: hello, a page, JSON and a session counter in mod_python, mod_php, mod_perl,
 * mod_wsgi (daemon) and PHP-FPM, each behind an httpd of its own with the MPM that its Debian
 * package uses, and nginx before a bare `node:http`. `npm run bench:peers` installs them; whatever
 * is missing takes no part.
 */
import {
  type ChildProcess,
  execFileSync,
  type ExecFileSyncOptionsWithStringEncoding,
  spawn,
} from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Httpd } from "../src/httpd/find.ts";
import { createPrivateServer, freePort } from "../src/httpd/private-server.ts";
import { defaultModules } from "../src/httpd/server-root.ts";
import { descendants } from "./cpu.ts";

/** What is measured, by name. */
export type Subject = "hello" | "page" | "json" | "counter";

export type Mpm = "event" | "prefork";

/** A competitor that runs. */
export interface Peer {
  readonly name: string;
  /** E.g. `3.5.0-1`: the version of its package. */
  readonly version: string;
  /** Undefined: it is not behind httpd. */
  readonly mpm?: Mpm;
  readonly url: string;
  /** Path of each subject that it has. */
  readonly paths: Partial<Record<Subject, string>>;
  /** All of its processes. */
  pids(): number[];
  stop(): Promise<void>;
}

interface Recipe {
  readonly name: string;
  /** The Debian packages that it needs. */
  readonly packages: string;
  /** Directory and name of its program or module. */
  readonly at: readonly [directory: string, file: RegExp];
  /** Of the module, for LoadModule. */
  readonly module?: string;
  /** A program beside httpd. */
  readonly start?: (program: string, folder: string) => ChildProcess;
  readonly mpm: Mpm;
  readonly paths: Peer["paths"];
  readonly conf: string;
  readonly files: Readonly<Record<string, string>>;
}

const modulesFolder = "/usr/lib/apache2/modules";

const nginx = "/usr/sbin/nginx";

/** Prefork of Debian, without the wait for further children. */
const prefork = `StartServers 16
MinSpareServers 16
MaxSpareServers 32
MaxRequestWorkers 64
MaxKeepAliveRequests 0
`;

const php: Recipe["files"] = {
  "htdocs/hello.php": `<?php
header("Content-Type: text/plain");
echo "Hello from mod_ts!\\n";
`,
  "htdocs/page.php": `<!DOCTYPE html>
<html><head><title>Rows</title></head><body><table>
<?php for ($n = 0; $n < 200; $n++): ?>
<tr><td><?= $n ?></td><td><?= htmlspecialchars("Name $n") ?></td><td><?= htmlspecialchars("Town <" . ($n % 17) . ">") ?></td><td><?= $n * 37 % 1000 ?></td></tr>
<?php endfor ?>
</table></body></html>
`,
  "htdocs/json.php": `<?php
header("Content-Type: application/json");
$items = [];
for ($n = 0; $n < 174; $n++) $items[] = ["id" => $n, "name" => "Name $n", "tags" => ["a", "b"], "amount" => $n * 37 % 1000];
echo json_encode($items);
`,
  "htdocs/counter.php": `<?php
session_start();
$_SESSION["hits"] = ($_SESSION["hits"] ?? 0) + 1;
header("Content-Type: text/plain");
echo $_SESSION["hits"];
`,
};

const recipes: readonly Recipe[] = [
  {
    name: "mod_python",
    packages: "libapache2-mod-python",
    at: [modulesFolder, /^mod_python\.so$/],
    module: "python_module",
    mpm: "prefork",
    paths: { hello: "hello.py", page: "page.psp", json: "data.py", counter: "counter.py" },
    conf: `${prefork}
<Directory "\${FOLDER}/htdocs">
    PythonOption mod_python.session.session_type FileSession
    PythonOption mod_python.session.database_directory "\${FOLDER}/sessions"
    <Files "page.psp">
        SetHandler mod_python
        PythonHandler mod_python.psp
    </Files>
    <Files "hello.py">
        SetHandler mod_python
        PythonHandler hello_handler
    </Files>
    <Files "data.py">
        SetHandler mod_python
        PythonHandler data_handler
    </Files>
    <Files "counter.py">
        SetHandler mod_python
        PythonHandler counter_handler
    </Files>
</Directory>`,
    files: {
      "htdocs/page.psp": `<%
from html import escape
rows = [(n, "Name %d" % n, "Town <%d>" % (n % 17), n * 37 % 1000) for n in range(200)]
%><!DOCTYPE html>
<html><head><title>Rows</title></head><body><table>
<%
for number, name, town, amount in rows:
%><tr><td><%= number %></td><td><%= escape(name) %></td><td><%= escape(town) %></td><td><%= amount %></td></tr>
<%
# end
%></table></body></html>
`,
      "htdocs/hello.py": "",
      "htdocs/data.py": "",
      "htdocs/counter.py": "",
      "htdocs/hello_handler.py": `from mod_python import apache
def handler(req):
    req.content_type = "text/plain"
    req.write("Hello from mod_ts!\\n")
    return apache.OK
`,
      "htdocs/data_handler.py": `import json
from mod_python import apache
def handler(req):
    req.content_type = "application/json"
    items = [{"id": n, "name": "Name %d" % n, "tags": ["a", "b"], "amount": n * 37 % 1000} for n in range(174)]
    req.write(json.dumps(items, separators=(",", ":")))
    return apache.OK
`,
      "htdocs/counter_handler.py": `from mod_python import apache, Session
def handler(req):
    req.content_type = "text/plain"
    session = Session.Session(req)
    session["hits"] = session.get("hits", 0) + 1
    session.save()
    req.write(str(session["hits"]))
    return apache.OK
`,
    },
  },
  {
    name: "mod_php",
    packages: "libapache2-mod-php",
    at: [modulesFolder, /^libphp[\d.]*\.so$/],
    module: "php_module",
    mpm: "prefork",
    paths: { hello: "hello.php", page: "page.php", json: "json.php", counter: "counter.php" },
    conf: `${prefork}
<FilesMatch "\\.php$">
    SetHandler application/x-httpd-php
</FilesMatch>
php_admin_value session.save_path "\${FOLDER}/sessions"
php_admin_flag session.gc_probability 0`,
    files: php,
  },
  {
    name: "mod_wsgi daemon",
    packages: "libapache2-mod-wsgi-py3",
    at: [modulesFolder, /^mod_wsgi\.so$/],
    module: "wsgi_module",
    mpm: "event",
    // WSGI has no sessions of its own.
    paths: { hello: "app/hello", page: "app/page", json: "app/json" },
    conf: `StartServers 4
MaxKeepAliveRequests 0
WSGIDaemonProcess bench processes=2 threads=8
WSGIProcessGroup bench
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias /app "\${FOLDER}/htdocs/app.wsgi"`,
    files: {
      "htdocs/app.wsgi": `import json
from html import escape

def page():
    out = ["<!DOCTYPE html>\\n<html><head><title>Rows</title></head><body><table>\\n"]
    for n in range(200):
        out.append("<tr><td>%d</td><td>%s</td><td>%s</td><td>%d</td></tr>\\n" % (n, escape("Name %d" % n), escape("Town <%d>" % (n % 17)), n * 37 % 1000))
    out.append("</table></body></html>\\n")
    return "text/html; charset=utf-8", "".join(out)

def data():
    items = [{"id": n, "name": "Name %d" % n, "tags": ["a", "b"], "amount": n * 37 % 1000} for n in range(174)]
    return "application/json", json.dumps(items, separators=(",", ":"))

def hello():
    return "text/plain", "Hello from mod_ts!\\n"

subjects = {"/hello": hello, "/page": page, "/json": data}

def application(environ, start_response):
    kind, text = subjects[environ["PATH_INFO"]]()
    body = text.encode()
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
`,
    },
  },
  {
    name: "mod_perl",
    packages: "libapache2-mod-perl2 libjson-xs-perl",
    at: [modulesFolder, /^mod_perl\.so$/],
    module: "perl_module",
    mpm: "prefork",
    // mod_perl has no sessions of its own.
    paths: { hello: "hello", page: "page", json: "json" },
    conf: `${prefork}
PerlRequire "\${FOLDER}/bench.pl"
${["hello", "page", "json"]
  .map(
    (subject) => `<Location "/${subject}">
    SetHandler modperl
    PerlResponseHandler Bench::${subject}
</Location>`,
  )
  .join("\n")}`,
    files: {
      "bench.pl": `package Bench;
use strict;
use Apache2::RequestRec ();
use Apache2::RequestIO ();
use Apache2::Const -compile => "OK";
use JSON::XS ();

my %entities = ("&" => "&amp;", "<" => "&lt;", ">" => "&gt;", '"' => "&quot;");
sub escaped { my $text = shift; $text =~ s/([&<>"])/$entities{$1}/g; return $text }

sub hello {
    my $r = shift;
    $r->content_type("text/plain");
    $r->print("Hello from mod_ts!\\n");
    return Apache2::Const::OK;
}

sub page {
    my $r = shift;
    $r->content_type("text/html; charset=utf-8");
    my $text = "<!DOCTYPE html>\\n<html><head><title>Rows</title></head><body><table>\\n";
    for my $n (0 .. 199) {
        $text .= "<tr><td>$n</td><td>" . escaped("Name $n") . "</td><td>" . escaped("Town <" . $n % 17 . ">") . "</td><td>" . $n * 37 % 1000 . "</td></tr>\\n";
    }
    $r->print($text . "</table></body></html>\\n");
    return Apache2::Const::OK;
}

sub json {
    my $r = shift;
    $r->content_type("application/json");
    my @items = map { { id => $_, name => "Name $_", tags => ["a", "b"], amount => $_ * 37 % 1000 } } 0 .. 173;
    $r->print(JSON::XS::encode_json(\\@items));
    return Apache2::Const::OK;
}
1;
`,
    },
  },
  {
    name: "php-fpm",
    packages: "php-fpm",
    at: ["/usr/sbin", /^php-fpm[\d.]*$/],
    start: (program, folder) =>
      spawn(program, ["-F", "-R", "-y", join(folder, "php-fpm.conf")], { stdio: "ignore" }),
    mpm: "event",
    paths: { hello: "hello.php", page: "page.php", json: "json.php", counter: "counter.php" },
    conf: `StartServers 4
MaxKeepAliveRequests 0
<IfModule !mod_proxy_fcgi.c>
    LoadModule proxy_fcgi_module "${modulesFolder}/mod_proxy_fcgi.so"
</IfModule>
<Proxy "unix:\${FOLDER}/php.sock|fcgi://php" enablereuse=on>
</Proxy>
<FilesMatch "\\.php$">
    SetHandler "proxy:unix:\${FOLDER}/php.sock|fcgi://php"
</FilesMatch>`,
    files: {
      ...php,
      "php-fpm.conf": `[global]
error_log = \${FOLDER}/php.log
daemonize = no
[www]
user = www-data
group = www-data
listen = \${FOLDER}/php.sock
listen.mode = 0666
; One for each connection that httpd may keep.
pm = static
pm.max_children = 32
php_value[session.save_path] = \${FOLDER}/sessions
php_value[session.gc_probability] = 0
`,
    },
  },
];

/** What `npm run bench:peers` installs. */
export const peerPackages: readonly string[] = [
  "wrk",
  "nginx-light",
  ...recipes.flatMap(({ packages }) => packages.split(" ")),
];

/** Starts all that are installed, each in a folder below `folder`, and reports those missing. */
export async function startPeers(httpd: Httpd, folder: string): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const recipe of recipes) {
    const [directory, pattern] = recipe.at;
    const names = existsSync(directory) ? readdirSync(directory) : [];
    const file = names.find((name) => pattern.test(name));
    if (file) peers.push(await startPeer(recipe, { httpd, file: join(directory, file), folder }));
    else console.error(`${recipe.name} is not installed and takes no part`);
  }
  return peers;
}

/**
 * nginx before the bare `node:http` server on a Unix socket: hello without any httpd. It also says
 * hello by itself on the socket `nginx.sock` beside, for an httpd in front of it.
 */
export async function startNginx(
  folder: string,
  bare: { readonly socket: string; readonly pid: number },
): Promise<(Peer & { readonly pid: number }) | undefined> {
  if (!existsSync(nginx)) return undefined;
  const port = await freePort("127.0.0.1");
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `daemon off;
worker_processes 2;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log;
events {}
http {
    access_log ${folder}/nginx-access.log;
    keepalive_requests 1000000000;
    upstream bare { server unix:${bare.socket}; keepalive 32; keepalive_requests 1000000000; }
    server {
        listen unix:${join(dirname(bare.socket), "nginx.sock")};
        default_type text/plain;
        return 200 "Hello from mod_ts!\\n";
    }
    server {
        listen 127.0.0.1:${port};
        location / { proxy_pass http://bare; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}
`,
  );
  const child = spawn(nginx, ["-c", file, "-p", folder], { stdio: "ignore" });
  return {
    name: "nginx + node:http",
    pid: child.pid ?? 0,
    version: packageVersion(nginx),
    url: `http://127.0.0.1:${port}`,
    paths: { hello: "" },
    pids: () => [child.pid ?? 0, bare.pid].flatMap(descendants),
    stop: () => stopped(child),
  };
}

/** Version of the Debian package that a file belongs to. */
export function packageVersion(file: string): string {
  const quiet: ExecFileSyncOptionsWithStringEncoding = {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  };
  try {
    const owner = execFileSync("dpkg-query", ["-S", file], quiet).split(":")[0]!;
    return execFileSync("dpkg-query", ["-W", "-f", "${Version}", owner], quiet);
  } catch {
    return "unknown";
  }
}

async function startPeer(
  { name, module, start, mpm, paths, conf, files }: Recipe,
  { httpd, file, folder }: { httpd: Httpd; file: string; folder: string },
): Promise<Peer> {
  const own = join(folder, name.replace(" ", "-"));
  // The children run as an unprivileged user.
  for (const path of [own, join(own, "sessions")]) {
    mkdirSync(path);
    chmodSync(path, 0o777);
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(own, path)), { recursive: true });
    writeFileSync(join(own, path), text.replaceAll("${FOLDER}", own));
  }
  const beside = start?.(file, own);
  const modules = defaultModules.filter((one) => !one.startsWith("mod_mpm_"));
  const server = await createPrivateServer({
    directory: own,
    httpd,
    modules: [...modules, `mod_mpm_${mpm}`].toSorted(),
    conf: `Define FOLDER "${own}"
${module ? `LoadModule ${module} "${file}"` : ""}
${conf}
`,
  });
  return {
    name,
    version: packageVersion(file),
    mpm,
    url: server.url,
    paths,
    pids: () => [...descendants(server.pid), ...(beside ? descendants(beside.pid ?? 0) : [])],
    stop: async () => {
      await server.stop();
      if (beside) await stopped(beside);
    },
  };
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}
