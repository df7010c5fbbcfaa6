/**
 * The modules that `apache-conf/mod_ts.conf` needs, and how each kind of httpd is told to load one.
 * @module
 */
import { type Httpd, modulePath } from "./find.ts";

/** A module, named as in `mod_headers`. */
export interface NeededModule {
  readonly name: string;
  /** What is lost without it. */
  readonly why: string;
  /** Without it mod_ts.conf is an error; else only what `why` says is lost. */
  readonly required: boolean;
}

/** In the order of the alphabet. */
export const neededModules: readonly NeededModule[] = [
  {
    name: "mod_authnz_fcgi",
    why: "asks the sidecar who may see a resource (`authorizer`)",
    required: false,
  },
  {
    name: "mod_authz_user",
    why: "knows `Require valid-user`, with which the sidecar is asked (`authorizer`)",
    required: false,
  },
  {
    name: "mod_env",
    why: "hides the secret from CGI and PHP scripts (`authorizer`)",
    required: false,
  },
  {
    name: "mod_headers",
    why: "tells the sidecar what Apache knows of the request",
    required: true,
  },
  { name: "mod_macro", why: "makes `Use TsHandler …` possible", required: true },
  { name: "mod_proxy", why: "opens the connection to the sidecar", required: true },
  { name: "mod_proxy_http", why: "speaks HTTP on it", required: true },
  { name: "mod_setenvif", why: "names the socket that a location uses", required: true },
  {
    name: "mod_remoteip",
    why: "tells Apache the client's address when the sidecar calls it back (`origin`)",
    required: false,
  },
  {
    name: "mod_unique_id",
    why: "gives each request an id, so that lines of the two logs can be matched",
    required: false,
  },
];

/** The command or the lines that make httpd load modules. */
export function enablingCommand(httpd: Httpd, names: readonly string[]): string {
  const short = names.map((name) => name.slice("mod_".length));
  if (httpd.layout === "debian") return `a2enmod ${short.join(" ")}`;
  const file = httpd.layout === "confd" ? "a file of conf.modules.d" : httpd.configFile;
  const lines = short.map(
    (name) => `LoadModule ${name}_module ${modulePath(httpd, `mod_${name}`)}`,
  );
  return `in ${file}:\n${lines.join("\n")}`;
}
