/** `mod-ts conf`: the configuration that Apache includes. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadConfig } from "../../config/config-file.ts";
import type { ResolvedConfig } from "../../config/config.ts";
import { type Httpd, findHttpd } from "../../httpd/find.ts";
import { type Installation, installConf, siteFile, uninstallConf } from "../../httpd/install.ts";
import { neededModules } from "../../httpd/modules.ts";
import { loadedModules } from "../../httpd/query.ts";
import { renderConf, renderSidecar } from "../../httpd/render.ts";
import { ModTsError } from "../../base/errors.ts";
import { confSettings, poolLines, sidecarSettings } from "./apache-settings.ts";
import { parseCommand } from "./command.ts";

export const usage = "conf [directory] [--install | --uninstall]";

export const summary = `Prints mod_ts.conf for your Apache, with the settings of the sidecar's configuration.

With --install, writes it to the directory that your httpd includes, copies apache.conf beside it
once, enables on Debian what the configuration needs, and lists the remaining steps. httpd.conf
itself is never changed. With --uninstall, removes these files.`;

export const options = {
  install: {
    type: "boolean",
    default: false,
    description: "write the file instead of printing it",
  },
  uninstall: {
    type: "boolean",
    default: false,
    description: "remove what --install wrote",
  },
  force: {
    type: "boolean",
    default: false,
    description: "overwrite a mod_ts.conf with different content",
  },
  tcp: {
    type: "string",
    placeholder: "host:port",
    description: "address of a sidecar on another host, as Apache reaches it",
  },
  httpd: { type: "string", placeholder: "file", description: "httpd binary to install for" },
} as const;

/** Returns 0. Throws like `loadConfig`, `renderConf`, `installConf` and `uninstallConf`. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseCommand(options, argv);
  const config = await loadConfig(positionals[0] ?? ".");
  if (!values.install && !values.uninstall) {
    process.stdout.write(formatConf(config, values.tcp));
    return 0;
  }
  const { name } = config;
  const httpd = await findHttpd(values.httpd ?? process.env["MOD_TS_HTTPD"]);
  if (!httpd) throw new ModTsError("MODTS_HTTPD_MISSING", "pass its binary with --httpd");
  const site = readSite(config);
  if (values.uninstall) return report(await uninstallConf(httpd, site, name));
  const missing = await missingModules(httpd, config);
  const text = formatConf(config, values.tcp, siteFile(httpd, name));
  const force = values.force ?? false;
  const more = site !== undefined && { site };
  return report(installConf(httpd, { name, text, missing, force, ...more }));
}

function report({ files, done, todo }: Installation): number {
  const lines = [
    ...files.map(({ verb, file }) => `${verb.padEnd(7)} ${file}\n`),
    ...done.map((line) => `ran     ${line}\n`),
    "\nRemaining steps:\n",
    ...todo.map((line) => `  ${indent(line)}\n`),
  ];
  process.stdout.write(lines.join(""));
  return 0;
}

/**
 * Settings and pools.
 * @param sections of a sidecar with a name: the file that `--install` writes
 */
export function formatConf(
  config: ResolvedConfig,
  tcp?: string,
  sections: string = `/etc/apache2/mod_ts/${config.name}.conf`,
): string {
  if (config.name !== "") return renderSidecar(sidecarSettings(config), sections);
  const settings = { ...confSettings(config), ...(tcp !== undefined && { tcp }) };
  const pools = poolLines(config);
  return renderConf(settings) + (pools && `\n\n# == Pools of mod-ts.config.ts ==\n\n${pools}`);
}

/** The `apache.conf` beside the configuration. */
function readSite(config: ResolvedConfig): string | undefined {
  const directory = dirname(config.file);
  const file = join(directory, "apache.conf");
  if (!existsSync(file)) return undefined;
  // The copy is elsewhere. Without a newline at the end, httpd finds its last section unclosed.
  return readFileSync(file, "utf8")
    .replaceAll("${MOD_TS_DIRECTORY}", directory)
    .replace(/(?<=[^\n])$/, "\n");
}

/** Those that the configuration needs; all of these if httpd cannot read its configuration. */
async function missingModules(httpd: Httpd, config: ResolvedConfig): Promise<string[]> {
  const loaded = await loadedModules(httpd);
  const { authorizer, origin } = confSettings(config);
  const isSet = { authorizer: authorizer !== undefined, origin: origin !== undefined };
  return neededModules
    .filter(({ setting }) => setting === undefined || isSet[setting])
    .map(({ name }) => name)
    .filter((name) => !loaded?.includes(name));
}

function indent(text: string): string {
  return text.replaceAll("\n", "\n    ");
}
