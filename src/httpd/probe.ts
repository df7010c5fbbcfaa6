/** Attacks on a running httpd, as a client, to verify the protection of `mod_ts.conf`. */
import { request } from "node:http";
import { request as requestTls } from "node:https";
import { type Finding, finding, problem } from "./finding.ts";

/** A forged context, for a handler that responds 200. */
const forged = {
  "Mod-Ts-Context": `1;;http;80;127.0.0.1;1;127.0.0.1;;HTTP/1.1;${btoa("GET / HTTP/1.1")};${btoa("/")}${";".repeat(15)}`,
  "Mod-Ts-Config": "handler mod_ts/test-page",
};

/** Sends harmless requests to a running server: GET, TRACE, names of files that do not exist. */
export async function probeServer(url: string): Promise<Finding[]> {
  try {
    return [await probeSource(url), await probeForged(url), await probeTrace(url)];
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // A time-out has no code.
    const todo =
      code === undefined
        ? "mod-ts status says whether the sidecar responds; see Apache's error log, too"
        : "start httpd, or correct the URL";
    return [finding("bad", `no response: ${message}`, { where: url, todo })];
  }
}

/** The protection depends on the name only, so the file need not exist. */
async function probeSource(url: string): Promise<Finding> {
  const where = new URL(`/mod-ts-check-${process.pid}.ts`, url).href;
  const status = await send(where);
  if (status === 403) return finding("ok", "source files of handlers are not served", { where });
  if (status === 503) {
    const what =
      "an address of a source file is 503: Apache does not reach the sidecar, or another server takes the request";
    const todo = "mod-ts start, if it is not running; else Apache's error log has the reason";
    return problem("sidecar-unreachable", what, where, todo);
  }
  const what = `a .ts file is not passed to the sidecar (status ${status}): source files may be served`;
  const todo = "include mod_ts.conf in this server, and reload httpd";
  return finding("bad", what, { where, todo });
}

async function probeForged(url: string): Promise<Finding> {
  const where = new URL(`/mod-ts-check-${process.pid}.ts`, url).href;
  const status = await send(where, { headers: forged });
  if (status === 403 || status === 503) {
    return finding("ok", "forged Mod-Ts headers of a client are removed", { where });
  }
  const what = `forged Mod-Ts headers of a client reach the sidecar (status ${status})`;
  return finding("bad", what, { where, todo: "include mod_ts.conf, unchanged, at server level" });
}

async function probeTrace(url: string): Promise<Finding> {
  const status = await send(url, { method: "TRACE" });
  if (status !== 200) return finding("ok", "TRACE is rejected", { where: url });
  const what = "TRACE is allowed, and its response can contain the secret";
  return finding("bad", what, { where: url, todo: "TraceEnable off" });
}

/** The status of a response, read to its end. */
export function send(
  url: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    // The certificate is not verified: no secret is sent.
    const settings = { ...options, agent: false, timeout: 10_000, rejectUnauthorized: false };
    const sent = (url.startsWith("https:") ? requestTls : request)(url, settings, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
      response.once("error", reject);
    });
    sent.once("timeout", () => sent.destroy(new Error("nothing within 10 s")));
    sent.once("error", reject);
    sent.end();
  });
}
