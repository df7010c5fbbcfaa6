/**
 * `mod-ts conf`: what Apache must be told.
 * @module
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadConfig } from "../config-file.ts";
import type { ResolvedConfig } from "../config.ts";
import { type Httpd, findHttpd } from "../httpd/find.ts";
import { installConf } from "../httpd/install.ts";
import { neededModules } from "../httpd/modules.ts";
import { loadedModules } from "../httpd/query.ts";
import { renderConf } from "../httpd/render.ts";
import { ModTsError } from "../errors.ts";
import { confSettings, poolLines } from "./apache-settings.ts";
import { parseCommand } from "./command.ts";

export const usage = "conf [folder] [--install]";

export const summary = `Prints mod_ts.conf for your Apache, with the settings of the folder's configuration.

With --install writes it where your httpd looks for the configuration of add-ons, and says what is left to do.
httpd.conf itself is never changed.`;

export const options = {
  install: {
    type: "boolean",
    default: false,
    description: "write the file, in place of printing it",
  },
  force: { type: "boolean", default: false, description: "overwrite a file with another text" },
  tcp: {
    type: "string",
    placeholder: "host:port",
    description: "where Apache reaches the sidecar, when it runs on another host",
  },
  httpd: {
    type: "string",
    placeholder: "file",
    description: "program of the httpd to install for",
  },
} as const;

/** Gives 0. Throws what `loadConfig`, `renderConf` and `installConf` throw. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseCommand(options, argv);
  const config = await loadConfig(positionals[0] ?? ".");
  const text = formatConf(config, values.tcp);
  if (!values.install) {
    process.stdout.write(text);
    return 0;
  }
  const httpd = await findHttpd(values.httpd ?? process.env["MOD_TS_HTTPD"]);
  if (!httpd) {
    throw new ModTsError("MODTS_HTTPD_MISSING", { reason: "name its program with --httpd" });
  }
  const missing = await missingModules(httpd);
  const result = installConf(httpd, { text, missing, force: values.force ?? false });
  process.stdout.write(`${result.verb} ${result.file}\n`);
  for (const line of result.done) process.stdout.write(`ran   ${line}\n`);
  process.stdout.write(
    `\nLeft to do:\n${result.todo.map((line) => `  ${indent(line)}\n`).join("")}`,
  );
  return 0;
}

/** The file for a configuration: settings, pools, and the folder's own `apache.conf`. */
export function formatConf(config: ResolvedConfig, tcp?: string): string {
  const settings = { ...confSettings(config), ...(tcp !== undefined && { tcp }) };
  const pools = poolLines(config);
  const own = join(dirname(config.file), "apache.conf");
  return [
    renderConf(settings),
    pools && `\n\n# == Pools of mod-ts.config.ts ==\n\n${pools}`,
    existsSync(own) && `\n\n# == Which handler runs where ==\n\nInclude "${own}"\n`,
  ]
    .filter(Boolean)
    .join("");
}

/** With a configuration that has errors nobody knows: then all are named, and enabling twice does no harm. */
async function missingModules(httpd: Httpd): Promise<string[]> {
  const loaded = await loadedModules(httpd);
  return neededModules.map(({ name }) => name).filter((name) => !loaded?.includes(name));
}

function indent(text: string): string {
  return text.replaceAll("\n", "\n    ");
}
