/** `mod-ts run`: a request to a handler without Apache. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import vm from "node:vm";
import { type ParsedCommand, parseCommand, UsageError } from "./command.ts";
import type { SingleRequest, SingleResponse } from "../../testing/single-request.ts";

export const usage = "run <handler> [--url <url>] [--header <line>] [--data <data>]";

export const summary = `Sends one request to a handler, without Apache, and prints the response.

The handler is named as in Apache: hello.ts, hello.ts::name, mod_ts/test-page.
Exit code 1 when the status of the response is 400 or more.`;

export const options = {
  url: { type: "string", default: "/", description: "path or URL of the request" },
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
    description: "same as Use TsOption key value",
  },
  user: { type: "string", default: "", description: "user that Apache would have authenticated" },
  debug: { type: "boolean", default: false, description: "same as Use TsDebug On" },
  inspect: { type: "boolean", default: false, description: "wait for a debugger" },
  "inspect-port": {
    type: "string",
    default: "9229",
    placeholder: "number",
    description: "port of the debugger",
  },
  directory: {
    type: "string",
    default: ".",
    description: "directory of the configuration, from which handlers are resolved",
  },
} as const;

/** Returns 0 for a status below 400, else 1. */
export async function run(argv: string[]): Promise<number> {
  const parsed = parseCommand(options, argv);
  const request = createRequest(parsed);
  // The loader needs a Node.js flag.
  if (!("SourceTextModule" in vm)) return runAgain(argv, inspectorFlags(parsed.values));
  const { loadConfig } = await import("../../config/config-file.ts");
  const { openLog } = await import("../../base/log-output.ts");
  const { serveSingleRequest } = await import("../../testing/single-request.ts");
  const { createParts } = await import("../../worker.ts");
  const config = await loadConfig(parsed.values.directory ?? ".");
  await openLog({ level: config.log.level }, { room: "handlers" });
  const parts = await createParts({ config, pool: "main", generation: 1 });
  try {
    const exchange = serveSingleRequest(parts, config, request);
    const response = await exchange.response;
    await print(response);
    await exchange.ended;
    return response.status < 400 ? 0 : 1;
  } finally {
    await parts.close();
  }
}

async function print({ status, reason, headers, body }: SingleResponse): Promise<void> {
  const lines = [`HTTP/1.1 ${status} ${reason}`];
  for (let index = 0; index < headers.length; index += 2) {
    lines.push(`${headers[index]}: ${headers[index + 1]}`);
  }
  process.stdout.write(`${lines.join("\n")}\n\n`);
  for await (const chunk of body) {
    if (!process.stdout.write(chunk as Uint8Array)) await once(process.stdout, "drain");
  }
}

/** Throws {@link UsageError}. */
export function createRequest({
  values,
  positionals,
}: ParsedCommand<typeof options>): SingleRequest {
  const [handler] = positionals;
  if (handler === undefined) throw new UsageError("handler missing, e.g. mod-ts run hello.ts");
  const body = values.data === undefined ? undefined : readData(values.data);
  const headers = (values.header ?? []).flatMap(splitHeader);
  const hasType = headers.some((name, at) => at % 2 === 0 && /^content-type$/i.test(name));
  if (body) {
    headers.push("Content-Length", String(body.length));
    if (!hasType) headers.push("Content-Type", "application/x-www-form-urlencoded");
  }
  return {
    handlers: { handler },
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
  if (!URL.canParse(text, "http://localhost")) throw new UsageError(`invalid URL: ${text}`);
  const url = new URL(text, "http://localhost");
  if (!/^https?:$/.test(url.protocol)) throw new UsageError(`not an http or https URL: ${text}`);
  // httpd responds 400 to an invalid escape.
  if (/%(?![\da-f]{2})/i.test(url.pathname)) throw new UsageError(`invalid escape in ${text}`);
  return url;
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon < 1) throw new UsageError(`invalid header "${line}"; expected name: value`);
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

function splitOption(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`invalid option "${text}"; expected key=value`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function readData(data: string): Uint8Array {
  if (!data.startsWith("@")) return Buffer.from(data);
  try {
    return readFileSync(data === "@-" ? 0 : data.slice(1));
  } catch (error) {
    throw new UsageError(`--data: ${(error as Error).message}`);
  }
}

function inspectorFlags(values: { inspect?: boolean; "inspect-port"?: string }): string[] {
  if (values.inspect !== true) return [];
  const port = values["inspect-port"] ?? "";
  if (!/^\d+$/.test(port)) throw new UsageError(`invalid port: ${port}`);
  return [`--inspect-wait=127.0.0.1:${port}`];
}

async function runAgain(argv: readonly string[], more: readonly string[]): Promise<number> {
  const flags = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning", ...more];
  const cli = process.argv[1] ?? "";
  const child = spawn(process.execPath, [...flags, cli, "run", ...argv], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}
