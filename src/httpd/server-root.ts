/** Directory of a private httpd: configuration, media types, logs. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ModTsError } from "../base/errors.ts";
import { type Httpd, hasModule, modulePath } from "./find.ts";

export interface ServerRoot {
  directory: string;
  httpd: Httpd;
  host: string;
  port: number;
  /** In the order of loading; undefined: those of {@link defaultModules} that exist. */
  modules: readonly string[] | undefined;
  /** At server level, after everything else. */
  conf: string;
  /** User of httpd if started by root. */
  user: Identity | undefined;
}

/** Modules of a usual httpd and of `mod_ts.conf`, in the order of Debian and Red Hat. */
export const defaultModules: readonly string[] = (
  "alias auth_basic authn_core authn_file authnz_fcgi authz_core authz_host authz_user " +
  "autoindex dir env filter headers log_config macro mime mpm_event negotiation proxy " +
  "proxy_http proxy_scgi remoteip rewrite setenvif unique_id unixd version"
)
  .split(" ")
  .map((name) => `mod_${name}`);

/** Maximum number of concurrent requests. */
export const threads = 128;

/**
 * Writes the directory, overwriting existing files.
 * @throws ModTsError `MODTS_HTTPD_MODULE` if one of `modules` is missing
 */
export function writeServerRoot(root: ServerRoot): void {
  const { directory } = root;
  for (const name of ["", "logs", "htdocs"]) mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, "mime.types"), mediaTypes);
  writeConfiguration(root, "httpd.conf");
  // Messages must not show the log of an earlier run.
  for (const name of ["error.log", "access.log", "startup.log"]) {
    writeFileSync(join(directory, "logs", name), "");
  }
}

/** Writes the configuration under a name of its own, for example to test it before it is used. */
export function writeConfiguration(root: ServerRoot, name: string): void {
  // It may hold a secret.
  writeFileSync(join(root.directory, name), formatHttpdConf(root), { mode: 0o600 });
}

function formatHttpdConf(root: ServerRoot): string {
  const { directory, httpd, host, port, modules, conf, user } = root;
  const load = modules ?? defaultModules.filter((name) => hasModule(httpd, name));
  return `# Written by mod_ts at each start: changes are lost.
ServerRoot "${directory}"
DefaultRuntimeDir "${directory}/logs"
PidFile "${directory}/logs/httpd.pid"
${load.map((name) => loadModule(httpd, name)).join("")}
${user ? `User ${user.name}\nGroup "#${user.gid}"\n` : ""}Listen ${host.includes(":") ? `[${host}]` : host}:${port}
ServerName localhost:${port}
ErrorLog "${directory}/logs/error.log"
LogLevel warn
<IfModule mod_log_config.c>
    LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
    # A call back is not a request of its own.
    CustomLog "${directory}/logs/access.log" common env=!MOD_TS_CALL
</IfModule>
<IfModule mod_mime.c>
    TypesConfig "${directory}/mime.types"
</IfModule>
DocumentRoot "${directory}/htdocs"
# A private server has few clients; small, so that it starts at once.
StartServers 1
<IfModule !mpm_prefork_module>
    ServerLimit 4
    ThreadsPerChild 32
    MaxRequestWorkers ${threads}
    MinSpareThreads 1
    MaxSpareThreads ${threads}
</IfModule>
Timeout 60
KeepAliveTimeout 5
GracefulShutDownTimeout 5
<Directory "/">
    AllowOverride None
    Require all denied
</Directory>
<Directory "${directory}/htdocs">
    AllowOverride All
    Require all granted
</Directory>
<FilesMatch "^\\.ht">
    Require all denied
</FilesMatch>
${conf}
`;
}

function loadModule(httpd: Httpd, name: string): string {
  if (httpd.compiledIn.includes(name)) return "";
  // There is one MPM; a compiled-in one is listed as event.c, worker.c or prefork.c.
  if (
    name.startsWith("mod_mpm_") &&
    httpd.compiledIn.some((own) => /^(?:mpm_)?(event|worker|prefork)$/.test(own))
  ) {
    return "";
  }
  if (!hasModule(httpd, name)) {
    throw new ModTsError("MODTS_HTTPD_MODULE", { module: name, path: modulePath(httpd, name) });
  }
  return `LoadModule ${name.slice("mod_".length)}_module "${modulePath(httpd, name)}"\n`;
}

export interface Identity {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Users of httpd in distributions, and one that every Unix has. */
const usualUsers = ["www-data", "apache", "httpd", "http", "_www", "wwwrun", "nobody"];

/** The first of them that exists in `passwd`, in the format of `/etc/passwd`. */
export function unprivilegedUser(
  passwd: string = readFileSync("/etc/passwd", "utf8"),
): Identity | undefined {
  const users = passwd.split("\n").map((line) => line.split(":"));
  const name = usualUsers.find((usual) => users.some(([user]) => user === usual));
  const entry = users.find(([user]) => user === name);
  if (name === undefined || !entry) return undefined;
  return { name, uid: Number(entry[2]), gid: Number(entry[3]) };
}

/** `TypesConfig`. As in stock httpd, `.ts` is video: source protection has to withstand that. */
export const mediaTypes = `text/html html htm
text/plain txt md
text/css css
text/javascript js mjs
text/csv csv
text/event-stream sse
application/json json map
application/manifest+json webmanifest
application/pdf pdf
application/wasm wasm
application/xml xml
application/zip zip
audio/mpeg mp3
font/woff woff
font/woff2 woff2
image/avif avif
image/gif gif
image/jpeg jpeg jpg
image/png png
image/svg+xml svg
image/vnd.microsoft.icon ico
image/webp webp
video/mp2t ts m2t m2ts mts
video/mp4 mp4
video/webm webm
`;
