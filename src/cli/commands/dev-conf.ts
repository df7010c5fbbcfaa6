/** Configuration of the private Apache of `mod-ts dev`. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { attempt } from "../../base/attempt.ts";
import type { ResolvedConfig } from "../../config/config.ts";
import { escapeHtml } from "../../base/html.ts";
import type { Finding } from "../../httpd/finding.ts";
import { confFile as shipped, formatDefines } from "../../httpd/render.ts";
import { confSettings, poolLines } from "./apache-settings.ts";

export interface DevConfOptions {
  /** Path of `mod_ts.conf`. */
  confFile?: string;
  /**
   * False: the directory is not the DocumentRoot, in which Apache would look up every URL.
   * @default true
   */
  readable?: boolean;
  /** Host names besides localhost and addresses; `.example.test` includes its subdomains. */
  hosts?: readonly string[];
  /** Apache waits while a handler is at a breakpoint. @default false */
  isPatient?: boolean;
  /** Why sections refuse every request. */
  closed?: readonly Finding[];
}

const daySeconds = 86_400;

/** Host names that {@link DevConfOptions.hosts} takes. */
export const hostPattern = /^\.?[a-z\d_-]+(?:\.[a-z\d_-]+)*$/i;

export function formatDevConf(
  directory: string,
  config: ResolvedConfig,
  {
    confFile = shipped,
    readable = true,
    hosts = [],
    isPatient = false,
    closed = [],
  }: DevConfOptions = {},
): string {
  const own = join(directory, "apache.conf");
  const settings = { ...confSettings(config), ...(isPatient && { timeout: daySeconds }) };
  return `${formatDefines(settings)}Define MOD_TS_DIRECTORY "${directory}"
Include "${confFile}"
${poolLines(config)}
# A WebSocket or a stream holds a thread as long as its page is open.
<IfModule !mpm_prefork_module>
    ServerLimit 16
    ThreadsPerChild 64
    MaxRequestWorkers 1024
    MaxSpareThreads 256
</IfModule>
# A development directory holds files that must not be served: .git, .env, editors' files.
<DirectoryMatch "/\\.">
    Require all denied
</DirectoryMatch>
<FilesMatch "^(\\.|apache\\.conf$)">
    Require all denied
</FilesMatch>
<IfModule mod_cgid.c>
    ScriptSock cgid.sock
</IfModule>
<VirtualHost *>
${isPatient ? `    Timeout ${daySeconds}\n` : ""}${readable ? `    DocumentRoot "${documentRoot(directory)}"\n` : ""}    <Directory "${directory}">
        Options FollowSymLinks
        AllowOverride All
        Require all granted
    </Directory>
    DirectoryIndex index.html index.tsp
${hostCheck(hosts)}    # Errors are shown in the browser, with their source.
    Use TsDebug On
${refusalPage(closed)}    # A worker that is killed, such as for a blocked event loop, shows no page of its own.
    ErrorDocument 502 "${lostResponse}"
    # Pages reload when one of their files is saved; compressed ones could not get the script.
    RequestHeader unset Accept-Encoding "expr=req_novary('Sec-Fetch-Dest') in {'document', 'iframe', 'frame'}"
    <Location "/.mod-ts/refresh">
        Use TsHandler mod_ts/refresh
        Require all granted
    </Location>
    # So do the pages that Apache itself serves.
    <IfModule mod_sed.c>
        FilterDeclare MOD_TS_REFRESH
        FilterProvider MOD_TS_REFRESH SED "%{CONTENT_TYPE} =~ m#^text/html# && req_novary('Sec-Fetch-Dest') in {'document', 'iframe', 'frame'} && !(%{HANDLER} -strmatch 'proxy:*') && -z reqenv('MOD_TS_CALL')"
        FilterChain +MOD_TS_REFRESH
        <Directory "${directory}">
            OutputSed "s#</[bB][oO][dD][yY]>#<script async src='/.mod-ts/refresh?::script=1'></script>&#"
        </Directory>
    </IfModule>
${includeOf(own) ?? welcome}</VirtualHost>
`;
}

/**
 * Attack: DNS rebinding. A website lets its name point to this machine; to the browser, the pages
 * here are its own then. A browser sends that name in `Host`; an address has no owner.
 */
function hostCheck(hosts: readonly string[]): string {
  const names = [".localhost", ...hosts].map((name) => {
    const suffix = name.replace(/^\./, "").replaceAll(".", "\\.");
    return name.startsWith(".") ? `([^:]+\\.)?${suffix}` : suffix;
  });
  const allowed = ["[0-9.]+", "\\[[0-9a-f:.]+\\]", ...names].join("|");
  return `    <If "req_novary('Host') !~ m#^((${allowed})\\.?(:[0-9]+)?)?$#i">
        ErrorDocument 403 "${refusedHost}"
        Require all denied
        # A Require line of another section may replace that one; nothing replaces this.
        Redirect 403
    </If>
`;
}

const lostResponse =
  "mod-ts dev: the worker ended before it responded, or blocked its event loop and was replaced: " +
  "the terminal says where. (Behind ProxyPass: the other server closed the connection.)";

const refusedHost =
  "mod-ts dev: requests for this host name are refused, because any website can point its name " +
  "to this machine (DNS rebinding). If the name is yours, start with: --allowed-host NAME";

/** Apache's own page would not say that the configuration is the reason. */
function refusalPage(closed: readonly Finding[]): string {
  if (closed.length === 0) return "";
  const reasons = closed.map(({ what, where = "", todo = "" }) => {
    return `<p>${escapeHtml(what)}<br>At: ${escapeHtml(where)}<br>Fix: ${escapeHtml(todo)}</p>`;
  });
  const page = `<!DOCTYPE html><title>403 Forbidden</title><h1>403 Forbidden</h1><p>mod-ts dev found sections that refuse every request:</p>${reasons.join("")}`;
  // Quotes, variables and expressions of Apache.
  const text = page.replace(/["\\$%{}]|[^ -~]/gu, (mark) => `&#${mark.codePointAt(0)};`);
  return `    ErrorDocument 403 "${text}"\n`;
}

/**
 * httpd takes a section that uses a macro for unclosed if no newline ends its last line. The text
 * itself is included then, so that the file may end as its author likes.
 */
function includeOf(file: string): string | undefined {
  const text = attempt(() => readFileSync(file, "utf8"), undefined);
  if (text === undefined) return undefined;
  return /[^\n]$/.test(text) ? `${text}\n` : `    Include "${file}"\n`;
}

/** Without apache.conf. */
const welcome = `    <Location "/">
        Use TsHandler mod_ts/test-page
    </Location>
`;

function documentRoot(directory: string): string {
  const names = ["htdocs", "public"].map((name) => join(directory, name));
  return names.find((name) => existsSync(name)) ?? directory;
}
