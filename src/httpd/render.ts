/**
 * `apache-conf/mod_ts.conf` with settings filled in.
 * @module
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ModTsError } from "../errors.ts";

/** What the settings block of the file can be told; what is left out keeps the default of the file. */
export interface ConfSettings {
  /** Folder of the sockets: `MOD_TS_RUN`. At most 90 characters. */
  run?: string;
  /** Shared secret: `MOD_TS_SECRET`. Letters, digits, - and _. */
  secret?: string;
  /** `host:port` of the sidecar in place of the sockets: `MOD_TS_TCP`. */
  tcp?: string;
  /** `host:port` where the sidecar decides on authentication: `MOD_TS_AUTHORIZER`. */
  authorizer?: string;
  /** Seconds that an idle connection is kept: `MOD_TS_TTL`. */
  ttl?: number;
  /** Seconds of silence after which httpd gives up: `MOD_TS_TIMEOUT`. */
  timeout?: number;
  /** Word that the name of a header is made of, 32 letters and digits: `MOD_TS_ORIGIN`. */
  origin?: string;
  /** The header that `RemoteIPHeader` names already: `MOD_TS_ORIGIN_HEADER`. */
  originHeader?: string;
  /** Serve `.ts` as video except below this folder: `MOD_TS_SERVE_TS_MEDIA`, `MOD_TS_HANDLERS`. */
  handlers?: string;
}

/** Path of the file as it is shipped; the place is the same from `src` and from `dist`. */
export const confFile: string = fileURLToPath(
  new URL("../../apache-conf/mod_ts.conf", import.meta.url),
);

const rules = {
  run: /^\/[^"\\$%\s]{1,89}$/,
  secret: /^[\w-]+$/,
  tcp: /^(?:[\w.-]+|\[[\da-f:]+\]):\d+$/i,
  authorizer: /^(?:[\w.-]+|\[[\da-f:]+\]):\d+$/i,
  ttl: /^\d+$/,
  timeout: /^\d+$/,
  origin: /^[a-z0-9]{32}$/i,
  originHeader: /^[\w-]+$/,
  handlers: /^\/[^"\\$%\s#]+$/,
} as const;

/**
 * The text of the file with the settings in force.
 * @throws ModTsError `MODTS_BAD_ARGUMENT` for a value that httpd would read as something else
 */
export function renderConf(
  settings: ConfSettings,
  text: string = readFileSync(confFile, "utf8"),
): string {
  let result = text;
  for (const [name, define] of Object.entries(toDefines(settings))) {
    // The line is there once, with its default or as a comment: filled in where it stands, it keeps its explanation.
    const line = new RegExp(`^( *)#?(Define ${name})\\b.*$`, "m");
    result = result.replace(line, (_, indent: string, head: string) => `${indent}${head}${define}`);
  }
  return result;
}

/** The settings as lines to stand before an `Include` of the file. */
export function formatDefines(settings: ConfSettings): string {
  const entries = Object.entries(toDefines(settings));
  return entries.map(([name, value]) => `Define ${name}${value}\n`).join("");
}

function toDefines(settings: ConfSettings): Record<string, string> {
  for (const [name, value] of Object.entries(settings)) {
    if (!rules[name as keyof ConfSettings].test(String(value))) {
      throw new ModTsError("MODTS_BAD_ARGUMENT", {
        name,
        reason: `${name === "secret" || name === "origin" ? "it" : String(value)} cannot stand in mod_ts.conf`,
      });
    }
  }
  const { run, secret, tcp, authorizer, ttl, timeout, origin, originHeader, handlers } = settings;
  return {
    ...(run !== undefined && { MOD_TS_RUN: ` ${run}` }),
    ...(secret !== undefined && { MOD_TS_SECRET: ` ${secret}` }),
    ...(tcp !== undefined && { MOD_TS_TCP: ` ${tcp}` }),
    ...(authorizer !== undefined && { MOD_TS_AUTHORIZER: ` ${authorizer}` }),
    ...(ttl !== undefined && { MOD_TS_TTL: ` ${ttl}` }),
    ...(timeout !== undefined && { MOD_TS_TIMEOUT: ` ${timeout}` }),
    ...(origin !== undefined && { MOD_TS_ORIGIN: ` ${origin}` }),
    ...(originHeader !== undefined && { MOD_TS_ORIGIN_HEADER: ` ${originHeader}` }),
    ...(handlers !== undefined && { MOD_TS_SERVE_TS_MEDIA: "", MOD_TS_HANDLERS: ` ${handlers}` }),
  };
}
