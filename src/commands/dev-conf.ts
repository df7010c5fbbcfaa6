/**
 * The configuration of the private Apache that `mod-ts dev` starts.
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ResolvedConfig } from "../config.ts";
import { confFile, formatDefines } from "../httpd/render.ts";
import { confSettings, poolLines } from "./apache-settings.ts";

/**
 * The configuration of the private Apache at server level. With `readable` false the folder is not its DocumentRoot: Apache
 * looks at the file system for any URL, and answers 403 where it may not.
 */
export function formatDevConf(folder: string, config: ResolvedConfig, readable = true): string {
  const own = join(folder, "apache.conf");
  return `${formatDefines(confSettings(config))}Define MOD_TS_FOLDER "${folder}"
Include "${confFile}"
${poolLines(config)}
# A development folder holds more than should be seen: .git, .env, editors' files.
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
${readable ? `    DocumentRoot "${documentRoot(folder)}"\n` : ""}    <Directory "${folder}">
        Options FollowSymLinks
        AllowOverride All
        Require all granted
    </Directory>
    DirectoryIndex index.html index.tsp
    # Errors with their source in the browser.
    Use TsDebug On
    # Pages reload themselves when a file they came from is saved.
    <Location "/.mod-ts/refresh">
        Use TsHandler mod_ts/refresh
        Require all granted
    </Location>
${existsSync(own) ? `    Include "${own}"\n` : welcome}</VirtualHost>
`;
}

/** Without an apache.conf of one's own there is at least something to see. */
const welcome = `    <Location "/">
        Use TsHandler mod_ts/test-page
    </Location>
`;

function documentRoot(folder: string): string {
  const names = ["htdocs", "public"].map((name) => join(folder, name));
  return names.find((name) => existsSync(name)) ?? folder;
}
