/**
 * What a section says of its origin.
 *
 * | option (`Use TsOption …`)     | means                                                                                  |
 * |-------------------------------|----------------------------------------------------------------------------------------|
 * | `mod_ts.origin.url`           | another server: `http://host:port/path`, `https://…`, `unix:/run/app.sock`; else Apache itself |
 * | `mod_ts.origin.strip`         | beginning of the path that the other server does not know, e.g. `/app`                 |
 * | `mod_ts.origin.preserve_host` | `on`: the other server gets the client's `Host`, not its own name                      |
 * | `mod_ts.origin.apache`        | where Apache listens for this virtual host, if not at `origin.url` of the configuration |
 * | `mod_ts.origin.timeout`       | milliseconds until an answer must have begun; 55000 by default                         |
 * @module
 */
import type { Dictionary } from "../request/exchange.ts";
import { oncePerSection, SectionOptions } from "../section-options.ts";

/** A server that is not Apache itself. */
export interface ForeignOrigin {
  /** How messages name it. */
  readonly name: string;
  readonly target: Target;
  /** What is put in front of the path; empty, or it begins with `/` and does not end so. */
  readonly base: string;
  /** What is taken off the path; of the same form. */
  readonly strip: string;
  readonly preserveHost: boolean;
}

/** Where a connection goes, in the words of `http-proxy`. */
export interface Target {
  readonly protocol: "http:" | "https:";
  readonly hostname?: string;
  readonly port?: string;
  readonly socketPath?: string;
}

export interface OriginSettings {
  /** Undefined: this very Apache. */
  readonly foreign: ForeignOrigin | undefined;
  /** Where Apache listens for this virtual host; undefined: where the configuration says. */
  readonly apache: URL | undefined;
  /** Milliseconds. */
  readonly timeout: number;
}

/** The settings of a section, read once. Throws `MODTS_BAD_OPTION`. */
export const originSettings: (options: Dictionary) => OriginSettings = oncePerSection(read);

/** A little less than a handler may take, so that the message names the cause. */
const defaultTimeout = 55_000;

function read(values: Dictionary): OriginSettings {
  const options = new SectionOptions(values, "origin");
  options.allowOnly("url", "strip", "preserve_host", "apache", "timeout");
  return {
    foreign: readForeign(options),
    apache: options.url("apache"),
    timeout: options.number("timeout", defaultTimeout, [1, 86_400_000]),
  };
}

function readForeign(options: SectionOptions): ForeignOrigin | undefined {
  const text = options.text("url");
  if (text === undefined) return undefined;
  const common = { strip: readStrip(options), preserveHost: readFlag(options, "preserve_host") };
  const socketPath = /^unix:(\/[^|]+)$/.exec(text)?.[1];
  if (socketPath !== undefined) {
    // A socket has no name of its own to stand in Host.
    const target = { protocol: "http:", hostname: "localhost", socketPath } as const;
    return { ...common, name: text, target, base: "", preserveHost: true };
  }
  const url = options.url("url") as URL;
  if (url.search || url.hash) options.fail("url", "it must end with the path");
  return { ...common, name: url.href, target: toTarget(url), base: withoutSlash(url.pathname) };
}

/** Of an `http:` or `https:` URL. */
export function toTarget({ protocol, hostname, port }: URL): Target {
  return {
    protocol: protocol as Target["protocol"],
    // An address is not written with brackets where it is looked up.
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port || (protocol === "https:" ? "443" : "80"),
  };
}

function readStrip(options: SectionOptions): string {
  const text = options.text("strip", "") as string;
  if (text !== "" && !text.startsWith("/")) options.fail("strip", "it must begin with /");
  return withoutSlash(text);
}

function withoutSlash(path: string): string {
  return path.replace(/\/+$/, "");
}

function readFlag(options: SectionOptions, key: string): boolean {
  const text = options.text(key, "off") as string;
  if (!/^(?:on|off)$/i.test(text)) options.fail(key, `it must be on or off, not "${text}"`);
  return /^on$/i.test(text);
}
