/**
 * One question to another service over HTTP, for handlers that let others decide: on kept connections, within a time, with
 * bounds on what may come back, and without following redirects.
 * @module
 */
import * as http from "node:http";
import * as https from "node:https";
import { ModTsError } from "./errors.ts";

/** What to ask. */
export interface ServiceQuestion {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds until the whole answer must be there. */
  readonly timeout: number;
}

/** What came back. */
export interface ServiceAnswer {
  readonly status: number;
  /** Names and values alternating, one character a byte. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** Bytes of the answer's headers, and of its body. */
const headerLimit = 32_768;
const bodyLimit = 65_536;

// A connection for each request costs a round trip, two with TLS, before the first question.
const agentOptions = { keepAlive: true, maxFreeSockets: 32 } as const;
const plain = new http.Agent(agentOptions);
const secure = new https.Agent(agentOptions);

/**
 * Sends a GET and reads the whole answer, whatever its status.
 * @throws ModTsError `MODTS_AUTH_SERVICE_DOWN` when none came in time, `MODTS_AUTH_SERVICE_ANSWER` when it is no HTTP or too long
 */
export async function askService(question: ServiceQuestion): Promise<ServiceAnswer> {
  const signal = AbortSignal.timeout(question.timeout);
  for (let attempt = 1; ; attempt += 1) {
    const sent = send(question, signal);
    try {
      return await readAnswer(sent, question);
    } catch (error) {
      // A kept connection that the service was just closing is no news about the service; a fresh one tells.
      const { code } = error as NodeJS.ErrnoException;
      if (attempt < 3 && sent.reusedSocket && code === "ECONNRESET" && !signal.aborted) continue;
      throw explain(error, question, signal);
    }
  }
}

function send({ url, headers }: ServiceQuestion, signal: AbortSignal): http.ClientRequest {
  const isSecure = url.protocol === "https:";
  return (isSecure ? https : http).request(url, {
    agent: isSecure ? secure : plain,
    headers,
    maxHeaderSize: headerLimit,
    signal,
  });
}

function readAnswer(request: http.ClientRequest, { url }: ServiceQuestion): Promise<ServiceAnswer> {
  return new Promise((resolve, reject) => {
    request.once("error", reject);
    request.once("upgrade", (_, socket) => {
      socket.destroy();
      reject(unusable(url, "it switches protocols"));
    });
    request.once("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > bodyLimit) request.destroy(unusable(url, `more than ${bodyLimit} bytes`));
        else chunks.push(chunk);
      });
      response.once("error", reject);
      response.once("end", () => {
        const { statusCode: status = 0, rawHeaders } = response;
        resolve({ status, rawHeaders, body: Buffer.concat(chunks) });
      });
    });
    request.end();
  });
}

function explain(error: unknown, { url, timeout }: ServiceQuestion, signal: AbortSignal): unknown {
  if (error instanceof ModTsError) return error;
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (code.startsWith("HPE_")) return unusable(url, message);
  const reason = signal.aborted ? `nothing within ${timeout} ms` : message || code;
  return new ModTsError("MODTS_AUTH_SERVICE_DOWN", { url: shown(url), reason }, { cause: error });
}

function unusable(url: URL, reason: string): ModTsError {
  return new ModTsError("MODTS_AUTH_SERVICE_ANSWER", { url: shown(url), reason });
}

/** Without the query, which may hold a key. */
export function shown(url: URL): string {
  return url.origin + url.pathname;
}
