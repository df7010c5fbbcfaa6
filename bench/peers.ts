/**
 * The same page, JSON and session counter in mod_python, mod_php and mod_wsgi (daemon), each in an httpd of its own with the MPM
 * that its Debian package uses. Whoever is not installed takes no part:
 * `apt-get install libapache2-mod-python libapache2-mod-wsgi-py3 libapache2-mod-php`.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Httpd } from "../src/httpd/find.ts";
import { createPrivateServer, type PrivateServer } from "../src/httpd/private-server.ts";
import { defaultModules } from "../src/httpd/server-root.ts";

/** What is measured, by name. */
export type Subject = "page" | "json" | "counter";

/** A competitor that runs. */
export interface Peer {
  readonly name: string;
  readonly server: PrivateServer;
  /** Path of each subject that it can do. */
  readonly paths: Partial<Record<Subject, string>>;
}

interface Recipe {
  readonly name: string;
  /** A file of the module, as a pattern. */
  readonly file: RegExp;
  readonly module: string;
  readonly mpm: "mod_mpm_event" | "mod_mpm_prefork";
  readonly paths: Peer["paths"];
  readonly conf: string;
  readonly files: Readonly<Record<string, string>>;
}

const modulesFolder = "/usr/lib/apache2/modules";

/** Prefork of Debian, without the wait for further children. */
const prefork = `StartServers 16
MinSpareServers 16
MaxSpareServers 32
MaxRequestWorkers 64
MaxKeepAliveRequests 0
`;

const recipes: readonly Recipe[] = [
  {
    name: "mod_python",
    file: /^mod_python\.so$/,
    module: "python_module",
    mpm: "mod_mpm_prefork",
    paths: { page: "page.psp", json: "data.py", counter: "counter.py" },
    conf: `${prefork}
<Directory "\${FOLDER}/htdocs">
    PythonOption mod_python.session.session_type FileSession
    PythonOption mod_python.session.database_directory "\${FOLDER}/sessions"
    <Files "page.psp">
        SetHandler mod_python
        PythonHandler mod_python.psp
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
      "htdocs/data.py": "",
      "htdocs/counter.py": "",
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
    file: /^libphp[\d.]*\.so$/,
    module: "php_module",
    mpm: "mod_mpm_prefork",
    paths: { page: "page.php", json: "json.php", counter: "counter.php" },
    conf: `${prefork}
<FilesMatch "\\.php$">
    SetHandler application/x-httpd-php
</FilesMatch>
php_admin_value session.save_path "\${FOLDER}/sessions"
php_admin_flag session.gc_probability 0`,
    files: {
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
    },
  },
  {
    name: "mod_wsgi daemon",
    file: /^mod_wsgi\.so$/,
    module: "wsgi_module",
    mpm: "mod_mpm_event",
    // WSGI has no sessions of its own.
    paths: { page: "app/page", json: "app/json" },
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

def application(environ, start_response):
    kind, text = page() if environ["PATH_INFO"] == "/page" else data()
    body = text.encode()
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
`,
    },
  },
];

/** Starts everybody who is installed, each in a folder below `folder`; says who is missing. */
export async function startPeers(httpd: Httpd, folder: string): Promise<Peer[]> {
  const peers: Peer[] = [];
  const there = existsSync(modulesFolder) ? readdirSync(modulesFolder) : [];
  for (const recipe of recipes) {
    const file = there.find((name) => recipe.file.test(name));
    if (file) peers.push(await startPeer(recipe, { httpd, file, folder }));
    else console.error(`${recipe.name} is not installed and takes no part`);
  }
  return peers;
}

async function startPeer(
  { name, module, mpm, paths, conf, files }: Recipe,
  place: { httpd: Httpd; file: string; folder: string },
): Promise<Peer> {
  const own = join(place.folder, name.replace(" ", "-"));
  // The children run as an unprivileged user.
  for (const path of [own, join(own, "sessions")]) {
    mkdirSync(path);
    chmodSync(path, 0o777);
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(own, path)), { recursive: true });
    writeFileSync(join(own, path), text);
  }
  const modules = [...defaultModules.filter((one) => !one.startsWith("mod_mpm_")), mpm].toSorted();
  const server = await createPrivateServer({
    directory: own,
    httpd: place.httpd,
    modules,
    conf: `Define FOLDER "${own}"
LoadModule ${module} "${join(modulesFolder, place.file)}"
${conf}
`,
  });
  return { name, server, paths };
}
