/**
 * The folder of a private httpd: its configuration, media types, empty logs.
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ModTsError } from "../errors.ts";
import { type Httpd, hasModule, modulePath } from "./find.ts";
import type { Identity } from "./identity.ts";
import { mediaTypes } from "./media-types.ts";

/** What the folder is written from. */
export interface ServerRoot {
  /** Absolute path. */
  folder: string;
  httpd: Httpd;
  /** Address and port to listen on. */
  host: string;
  port: number;
  /** Modules in the order in which they are loaded; undefined: what there is of {@link defaultModules}. */
  modules: readonly string[] | undefined;
  /** Configuration at server level, after everything else. */
  conf: string;
  /** Whom httpd becomes once it has read its configuration, as it does when it starts as root; undefined: it stays what it is. */
  user: Identity | undefined;
}

/** What a usual httpd has and what `apache-conf/mod_ts.conf` needs, in the order in which Debian and Red Hat load it. */
export const defaultModules: readonly string[] = [
  "mod_alias",
  "mod_auth_basic",
  "mod_authn_core",
  "mod_authn_file",
  "mod_authnz_fcgi",
  "mod_authz_core",
  "mod_authz_host",
  "mod_authz_user",
  "mod_autoindex",
  "mod_dir",
  "mod_env",
  "mod_filter",
  "mod_headers",
  "mod_log_config",
  "mod_macro",
  "mod_mime",
  "mod_mpm_event",
  "mod_negotiation",
  "mod_proxy",
  "mod_proxy_http",
  "mod_remoteip",
  "mod_rewrite",
  "mod_setenvif",
  "mod_unique_id",
  "mod_unixd",
  "mod_version",
];

/** Requests that the private server can have at a time. */
export const threads = 128;

/**
 * Writes the folder; what was in it before is overwritten.
 * @throws ModTsError `MODTS_HTTPD_MODULE` when one of `modules` is not there
 */
export function writeServerRoot(root: ServerRoot): void {
  const { folder } = root;
  for (const name of ["", "logs", "htdocs"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, "mime.types"), mediaTypes);
  // It may hold a secret.
  writeFileSync(join(folder, "httpd.conf"), formatHttpdConf(root), { mode: 0o600 });
  // A log of the run before would be taken for this one's in messages.
  for (const name of ["error.log", "access.log", "startup.log"]) {
    writeFileSync(join(folder, "logs", name), "");
  }
}

function formatHttpdConf(root: ServerRoot): string {
  const { folder, httpd, host, port, modules, conf, user } = root;
  const load = modules ?? defaultModules.filter((name) => hasModule(httpd, name));
  return `# Written by mod_ts at each start: changes are lost.
ServerRoot "${folder}"
DefaultRuntimeDir "${folder}/logs"
PidFile "${folder}/logs/httpd.pid"
${load.map((name) => loadModule(httpd, name)).join("")}
${user ? `User ${user.name}\nGroup "#${user.gid}"\n` : ""}Listen ${host.includes(":") ? `[${host}]` : host}:${port}
ServerName localhost:${port}
ErrorLog "${folder}/logs/error.log"
LogLevel warn
<IfModule mod_log_config.c>
    LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
    # A call back is not a request of its own.
    CustomLog "${folder}/logs/access.log" common env=!MOD_TS_CALL
</IfModule>
<IfModule mod_mime.c>
    TypesConfig "${folder}/mime.types"
</IfModule>
DocumentRoot "${folder}/htdocs"
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
<Directory "${folder}/htdocs">
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
  // A program can hold one MPM; one that is compiled in is listed as event.c, worker.c or prefork.c.
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
