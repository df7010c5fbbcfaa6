/** `apache-conf/mod_ts.conf` with settings filled in. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { badArgument } from "../base/errors.ts";

/** Settings of the file; missing ones keep their default. */
export interface ConfSettings {
  /** Directory of the sockets: `MOD_TS_RUN`. At most 90 characters. */
  run?: string;
  /** Shared secret: `MOD_TS_SECRET`. Letters, digits, - and _. */
  secret?: string;
  /** `host:port` of the sidecar instead of the sockets: `MOD_TS_TCP`. */
  tcp?: string;
  /** `host:port` of the authorizer: `MOD_TS_AUTHORIZER`. */
  authorizer?: string;
  /** Keep-alive timeout in seconds: `MOD_TS_TTL`. */
  ttl?: number;
  /** Response timeout in seconds: `MOD_TS_TIMEOUT`. */
  timeout?: number;
  /** Part of a header name, 32 letters and digits: `MOD_TS_ORIGIN`. */
  origin?: string;
  /** `RemoteIPHeader`, if already in use: `MOD_TS_ORIGIN_HEADER`. */
  originHeader?: string;
  /** Log of requests that Apache serves by itself: `MOD_TS_ACCESS_LOG`. */
  accessLog?: string;
  /** Serves `.ts` as video except below this: `MOD_TS_SERVE_TS_MEDIA`, `MOD_TS_HANDLERS`. */
  handlers?: string;
}

/** A further sidecar of an httpd. */
export interface SidecarSettings {
  name: string;
  /** Directory of the sockets. At most 80 characters. */
  run: string;
  /** Letters, digits, - and _. */
  secret: string;
  /** `host:port`. */
  authorizer?: string;
  /** Pools other than main. */
  pools: readonly string[];
  /** Log of requests that Apache serves by itself. */
  accessLog?: string;
  /** Part of a header name, 32 letters and digits, for its callbacks. */
  origin?: string;
}

/** Path of the shipped file; the same from `src` and from `dist`. */
export const confFile: string = fileURLToPath(
  new URL("../../apache-conf/mod_ts.conf", import.meta.url),
);

const address = /^(?:[\w.-]+|\[[\da-f:]+\]):\d+$/i;

/** The variable of each setting, and its valid values. */
const variables: Readonly<Record<keyof ConfSettings, readonly [name: string, form: RegExp]>> = {
  run: ["MOD_TS_RUN", /^\/[^"\\$%\s]{1,89}$/],
  secret: ["MOD_TS_SECRET", /^[\w-]+$/],
  tcp: ["MOD_TS_TCP", address],
  authorizer: ["MOD_TS_AUTHORIZER", address],
  ttl: ["MOD_TS_TTL", /^\d+$/],
  timeout: ["MOD_TS_TIMEOUT", /^\d+$/],
  origin: ["MOD_TS_ORIGIN", /^[a-z0-9]{32}$/i],
  originHeader: ["MOD_TS_ORIGIN_HEADER", /^[\w-]+$/],
  accessLog: ["MOD_TS_ACCESS_LOG", /^\/[^"\\$%\s]+$/],
  handlers: ["MOD_TS_HANDLERS", /^\/[^"\\$%\s#]+$/],
};

/**
 * The file with the settings.
 * @throws ModTsError `MODTS_BAD_ARGUMENT` for a value that httpd would misinterpret
 */
export function renderConf(
  settings: ConfSettings,
  text: string = readFileSync(confFile, "utf8"),
): string {
  let result = text;
  for (const [name, define] of Object.entries(toDefines(settings))) {
    // Replaces the line, a default or a comment, at its place beside the explanation.
    const line = new RegExp(`^( *)#?(Define ${name})\\b.*$`, "m");
    result = result.replace(line, (_, indent: string, head: string) => `${indent}${head}${define}`);
  }
  return result;
}

/** Lines to precede an `Include` of the file. */
export function formatDefines(settings: ConfSettings): string {
  const entries = Object.entries(toDefines(settings));
  return entries.map(([name, value]) => `Define ${name}${value}\n`).join("");
}

/**
 * The file of a further sidecar, read after `mod_ts.conf`.
 * @param sections file with its sections, for `TsSidecar`
 * @throws ModTsError `MODTS_BAD_ARGUMENT` for a value that httpd would misinterpret
 */
export function renderSidecar(settings: SidecarSettings, sections: string): string {
  const { name, run, secret, authorizer, pools, accessLog, origin } = settings;
  refuseUnfit({
    run,
    secret,
    ...(authorizer !== undefined && { authorizer }),
    ...(accessLog !== undefined && { accessLog }),
    ...(origin !== undefined && { origin }),
  });
  return [
    ...howToInclude(name, sections, origin !== undefined),
    "",
    `Use TsAddSidecar ${name} ${run} ${secret}`,
    ...(authorizer === undefined ? [] : [`Use TsAddAuthorizer ${name} ${authorizer}`]),
    ...pools.map((pool) => `Use TsAddPool ${name} ${pool}`),
    ...(accessLog === undefined ? [] : [`Use TsAddAccessLog ${name} ${accessLog}`]),
    ...(origin === undefined ? [] : [`Use TsAddCallbacks ${name} ${origin}`]),
    "",
  ].join("\n");
}

function howToInclude(name: string, sections: string, hasCallbacks: boolean): string[] {
  if (hasCallbacks) {
    return [
      `# The sidecar ${name}, after mod_ts.conf. In each virtual host of its sections:`,
      `#     Use TsSidecarHost ${name} "${sections}"`,
    ];
  }
  return [
    `# The sidecar ${name}, after mod_ts.conf. In the virtual host, or at server level, of its sections:`,
    `#     Use TsSidecar ${name} "${sections}"`,
  ];
}

function refuseUnfit(settings: ConfSettings): void {
  for (const [name, value] of Object.entries(settings)) {
    const [, form] = variables[name as keyof ConfSettings];
    if (form.test(String(value))) continue;
    const shown = name === "secret" || name === "origin" ? "it" : String(value);
    throw badArgument(name, `${shown} cannot stand in mod_ts.conf`);
  }
}

function toDefines(settings: ConfSettings): Record<string, string> {
  refuseUnfit(settings);
  const defines = Object.entries(settings).map(([name, value]) => {
    const [variable] = variables[name as keyof ConfSettings];
    return [variable, ` ${value}`];
  });
  const media = settings.handlers === undefined ? {} : { MOD_TS_SERVE_TS_MEDIA: "" };
  return { ...media, ...Object.fromEntries(defines) };
}
