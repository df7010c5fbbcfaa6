/** Options of `mod_ts/origin` in one section (docs/origin.md). */
import type { Dictionary } from "../../request/exchange.ts";
import { oncePerSection, SectionOptions } from "../../base/options.ts";

export interface ForeignOrigin {
  /** Name in messages. */
  readonly name: string;
  readonly target: Target;
  /** Prefix to add; empty, or with a leading and no trailing slash. */
  readonly base: string;
  /** Prefix to remove, of the same form. */
  readonly strip: string;
  readonly preserveHost: boolean;
}

/** Options of `http-proxy`. */
export interface Target {
  readonly protocol: "http:" | "https:";
  readonly hostname?: string;
  readonly port?: string;
  readonly socketPath?: string;
}

export interface OriginOptions {
  /** Undefined: this Apache. */
  readonly foreign: ForeignOrigin | undefined;
  /** Apache's URL for this virtual host; undefined: as configured. */
  readonly apache: URL | undefined;
  /** In milliseconds. */
  readonly timeout: number;
}

/** Read once per section. Throws `MODTS_BAD_OPTION`. */
export const originOptions: (options: Dictionary) => OriginOptions = oncePerSection(read);

/** Below the handler time-out, so that the message names the cause. */
const defaultTimeout = 55_000;

function read(values: Dictionary): OriginOptions {
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
  const common = { strip: readStrip(options), preserveHost: options.flag("preserve_host") };
  const socketPath = /^unix:(\/[^|]+)$/.exec(text)?.[1];
  if (socketPath !== undefined) {
    // Sockets have no name for Host.
    const target = { protocol: "http:", hostname: "localhost", socketPath } as const;
    return { ...common, name: text, target, base: "", preserveHost: true };
  }
  const url = options.url("url") as URL;
  if (url.search || url.hash) options.fail("url", "must end with the path");
  return { ...common, name: url.href, target: toTarget(url), base: withoutSlash(url.pathname) };
}

export function toTarget({ protocol, hostname, port }: URL): Target {
  return {
    protocol: protocol as Target["protocol"],
    // IPv6 addresses are resolved without brackets.
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port || (protocol === "https:" ? "443" : "80"),
  };
}

function readStrip(options: SectionOptions): string {
  const text = options.text("strip", "") as string;
  if (text !== "" && !text.startsWith("/")) options.fail("strip", "must begin with /");
  return withoutSlash(text);
}

function withoutSlash(path: string): string {
  return path.replace(/\/+$/, "");
}
