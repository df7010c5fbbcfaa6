/**
 * `mod-ts run`: try a handler without Apache.
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import vm from "node:vm";
import { type ParsedCommand, parseCommand, UsageError } from "./command.ts";
import type { OneRequest } from "./run-once.ts";

export const usage = "run <handler> [--url <url>] [--header <line>] [--data <data>]";

export const summary = `Sends one request to a handler, without Apache, and prints the answer.

The handler is named as in Apache: hello.ts, hello.ts::name, mod_ts/test-page.
Exit code 1 when the answer is a status of 400 or more.`;

export const options = {
  url: {
    type: "string",
    default: "/",
    description: "path, or whole URL, of the request",
  },
  method: {
    type: "string",
    short: "X",
    description: "request method (default: GET, or POST with --data)",
  },
  header: {
    type: "string",
    short: "H",
    multiple: true,
    placeholder: "name: value",
    description: "request header",
  },
  data: {
    type: "string",
    short: "d",
    placeholder: "text, @file or @-",
    description: "request body",
  },
  option: {
    type: "string",
    short: "o",
    multiple: true,
    placeholder: "key=value",
    description: "as Use TsOption key value",
  },
  user: { type: "string", default: "", description: "name that Apache would have authenticated" },
  debug: { type: "boolean", default: false, description: "as Use TsDebug On" },
  folder: {
    type: "string",
    default: ".",
    description: "folder of the configuration; handlers are looked up from there",
  },
} as const;

/** Gives 0 for a status below 400, else 1. */
export async function run(argv: string[]): Promise<number> {
  const parsed = parseCommand(options, argv);
  const request = createRequest(parsed);
  // The loader needs a flag that only a new process can have.
  if (!("SourceTextModule" in vm)) return runAgain(argv);
  const { loadConfig } = await import("../config-file.ts");
  const { subscribeLog } = await import("../log.ts");
  const { runOnce } = await import("./run-once.ts");
  const config = await loadConfig(parsed.values.folder ?? ".");
  subscribeLog(config.log.level);
  const status = await runOnce(config, request, process.stdout);
  return status < 400 ? 0 : 1;
}

/** Turns the command line into a request. Throws {@link UsageError}. */
export function createRequest({ values, positionals }: ParsedCommand<typeof options>): OneRequest {
  const [handler] = positionals;
  if (handler === undefined) throw new UsageError("which handler? e.g. mod-ts run hello.ts");
  const body = values.data === undefined ? undefined : readData(values.data);
  const headers = (values.header ?? []).flatMap(splitHeader);
  const hasType = headers.some((name, at) => at % 2 === 0 && /^content-type$/i.test(name));
  if (body) {
    headers.push("Content-Length", String(body.length));
    if (!hasType) headers.push("Content-Type", "application/x-www-form-urlencoded");
  }
  return {
    handler,
    method: values.method?.toUpperCase() ?? (body ? "POST" : "GET"),
    url: parseUrl(values.url ?? "/"),
    headers,
    body,
    options: (values.option ?? []).map(splitOption),
    user: values.user ?? "",
    debug: values.debug ?? false,
  };
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text, "http://localhost")) throw new UsageError(`not a URL: ${text}`);
  const url = new URL(text, "http://localhost");
  if (!/^https?:$/.test(url.protocol)) throw new UsageError(`not a URL of http or https: ${text}`);
  // httpd answers 400 to an escape that is none, so no handler ever sees one.
  if (/%(?![\da-f]{2})/i.test(url.pathname)) throw new UsageError(`bad escape in ${text}`);
  return url;
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon < 1) throw new UsageError(`a header is "name: value", not "${line}"`);
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

function splitOption(text: string): string {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`an option is key=value, not "${text}"`);
  return `${text.slice(0, equals)} ${text.slice(equals + 1)}`;
}

function readData(data: string): Uint8Array {
  if (!data.startsWith("@")) return Buffer.from(data);
  try {
    return readFileSync(data === "@-" ? 0 : data.slice(1));
  } catch (error) {
    throw new UsageError(`--data: ${(error as Error).message}`);
  }
}

async function runAgain(argv: readonly string[]): Promise<number> {
  const flags = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];
  const cli = process.argv[1] ?? "";
  const child = spawn(process.execPath, [...flags, cli, "run", ...argv], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}
