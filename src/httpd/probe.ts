/**
 * Attacks an httpd as a client would, to prove that the protection of `mod_ts.conf` holds on it.
 * @module
 */
import { request } from "node:http";
import { request as requestTls } from "node:https";
import type { Finding } from "./finding.ts";

/** What came back. */
interface Answer {
  status: number;
  body: string;
}

/** A context as Apache would write it, for a handler that would answer 200: what a forger would send. */
const forged = {
  "Mod-Ts-Context": `1;;http;80;127.0.0.1;1;127.0.0.1;;HTTP/1.1;${btoa("GET / HTTP/1.1")};${btoa("/")}${";".repeat(15)}`,
  "Mod-Ts-Config": "handler mod_ts/test-page",
};

/**
 * Sends requests to a server that runs, at addresses that need no handler.
 * Harmless: GET, TRACE, and names of files that do not exist.
 */
export async function probeServer(url: string): Promise<Finding[]> {
  try {
    return [await probeSource(url), await probeForged(url), await probeTrace(url)];
  } catch (error) {
    return [
      {
        level: "bad",
        what: `no answer: ${(error as Error).message}`,
        where: url,
        todo: "start httpd, or correct the address",
      },
    ];
  }
}

/** The protection looks at the name alone, so that a file that does not exist proves as much as a real one, and shows nothing. */
async function probeSource(url: string): Promise<Finding> {
  const where = new URL(`/mod-ts-check-${process.pid}.ts`, url).href;
  const { status } = await send(where);
  if (status === 403) return { level: "ok", what: "sources of handlers are refused", where };
  if (status === 503) {
    return {
      level: "note",
      what: "sources are refused, but the sidecar is down (503)",
      where,
      todo: "mod-ts start",
    };
  }
  return {
    level: "bad",
    what: `a .ts file is not handed to the sidecar (status ${status}): sources may be shown`,
    where,
    todo: "include mod_ts.conf in this server; has httpd been reloaded?",
  };
}

async function probeForged(url: string): Promise<Finding> {
  const where = new URL(`/mod-ts-check-${process.pid}.ts`, url).href;
  const { status } = await send(where, { headers: forged });
  if (status === 403 || status === 503) {
    return { level: "ok", what: "headers of a client that forge ours are removed", where };
  }
  return {
    level: "bad",
    what: `a client can send our headers itself (status ${status})`,
    where,
    todo: "include mod_ts.conf, unchanged, at server level",
  };
}

async function probeTrace(url: string): Promise<Finding> {
  const { status } = await send(url, { method: "TRACE" });
  if (status !== 200) return { level: "ok", what: "TRACE is refused", where: url };
  return {
    level: "bad",
    what: "TRACE is answered, and can show the secret",
    where: url,
    todo: "TraceEnable off",
  };
}

function send(
  url: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // A certificate proves nothing here: no secret is sent.
    const settings = { ...options, agent: false, timeout: 10_000, rejectUnauthorized: false };
    const sent = (url.startsWith("https:") ? requestTls : request)(url, settings, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.once("error", reject);
    });
    sent.once("timeout", () => sent.destroy(new Error("no answer within 10 s")));
    sent.once("error", reject);
    sent.end();
  });
}
