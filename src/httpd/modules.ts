/** Modules required by `apache-conf/mod_ts.conf`, and how they are enabled. */
import { type Httpd, modulePath } from "./find.ts";

export interface NeededModule {
  readonly name: string;
  readonly why: string;
  /** Required by mod_ts.conf itself; otherwise only the purpose is lost. */
  readonly required: boolean;
  /** Needed only with this setting of the sidecar's configuration. */
  readonly setting?: "authorizer" | "origin";
}

// oxfmt-ignore
export const neededModules: readonly NeededModule[] = [
  { name: "mod_authnz_fcgi", required: false, setting: "authorizer", why: "asks the sidecar for access decisions (`authorizer`)" },
  { name: "mod_authz_user", required: false, setting: "authorizer", why: "implements `Require valid-user` of access control (`authorizer`)" },
  { name: "mod_env", required: false, setting: "authorizer", why: "hides the secret from CGI and PHP scripts (`authorizer`)" },
  { name: "mod_headers", required: true, why: "passes the context of requests to the sidecar" },
  { name: "mod_macro", required: true, why: "implements `Use TsHandler …`" },
  { name: "mod_proxy", required: true, why: "connects to the sidecar" },
  { name: "mod_proxy_http", required: true, why: "speaks HTTP to the sidecar" },
  { name: "mod_proxy_scgi", required: false, why: "asks the sidecar about what Apache serves itself (trans, init, headerparser, type, fixup); without it each such request takes a callback" },
  { name: "mod_setenvif", required: true, why: "selects the socket of a location" },
  { name: "mod_remoteip", required: false, setting: "origin", why: "passes the client's address in callbacks (`origin`)" },
  { name: "mod_unique_id", required: false, why: "gives each request an id, to match lines of both logs" },
];

/** The command, or the lines, that load modules. */
export function enablingCommand(httpd: Httpd, names: readonly string[]): string {
  const short = names.map((name) => name.slice("mod_".length));
  if (httpd.layout === "debian") return `a2enmod ${short.join(" ")}`;
  const file = httpd.layout === "confd" ? "a file of conf.modules.d" : httpd.configFile;
  const lines = short.map(
    (name) => `LoadModule ${name}_module ${modulePath(httpd, `mod_${name}`)}`,
  );
  return `in ${file}:\n${lines.join("\n")}`;
}
