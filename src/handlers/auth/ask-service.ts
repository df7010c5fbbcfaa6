/**
 * One GET to another service, for handlers that delegate a decision: on kept connections, with a
 * timeout and limits for the response, and without following redirects.
 */
import * as http from "node:http";
import * as https from "node:https";
import { isIP } from "node:net";
import { ModTsError } from "../../base/errors.ts";

export interface Service {
  readonly url: URL;
  /** Unix socket to connect to in place of the URL's host. */
  readonly socketPath?: string;
}

export interface ServiceQuestion extends Service {
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds for the whole response. */
  readonly timeout: number;
}

export interface ServiceAnswer {
  readonly status: number;
  /** Names and values alternating, one character a byte. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** Bytes of the response's headers, and of its body. */
const headerLimit = 32_768;
const bodyLimit = 65_536;

// A connection for each request costs a round trip, two with TLS, before the first question.
const agentOptions = { keepAlive: true, maxFreeSockets: 32 } as const;
const plain = new http.Agent(agentOptions);
const secure = new https.Agent(agentOptions);

/**
 * Sends a GET and reads the whole response, whatever its status.
 * Rejects with `MODTS_AUTH_SERVICE_DOWN` if none came in time, with `MODTS_AUTH_SERVICE_ANSWER` if it
 * is not HTTP or too long.
 */
export async function askService(question: ServiceQuestion): Promise<ServiceAnswer> {
  const signal = AbortSignal.timeout(question.timeout);
  for (let attempt = 1; ; attempt += 1) {
    const sent = send(question, signal);
    try {
      return await readAnswer(sent, question);
    } catch (error) {
      // A kept connection may be closing at this moment; a new one shows whether the service is up.
      const { code } = error as NodeJS.ErrnoException;
      if (attempt < 3 && sent.reusedSocket && code === "ECONNRESET" && !signal.aborted) continue;
      throw explain(error, question, signal);
    }
  }
}

function send(question: ServiceQuestion, signal: AbortSignal): http.ClientRequest {
  const { url, socketPath, headers } = question;
  const isSecure = url.protocol === "https:";
  const options = {
    headers,
    maxHeaderSize: headerLimit,
    signal,
    ...(socketPath && { socketPath }),
  };
  if (!isSecure) return http.request(url, { ...options, agent: plain });
  // Attack: Node checks the certificate against a Host header, which may be the client's.
  const servername = isIP(url.hostname.replace(/^\[|\]$/g, "")) ? "" : url.hostname;
  return https.request(url, { ...options, agent: secure, servername });
}

function readAnswer(request: http.ClientRequest, asked: Service): Promise<ServiceAnswer> {
  return new Promise((resolve, reject) => {
    request.once("error", reject);
    request.once("upgrade", (_, socket) => {
      socket.destroy();
      reject(unusable(asked, "unexpected protocol switch"));
    });
    request.once("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > bodyLimit) request.destroy(unusable(asked, `body exceeds ${bodyLimit} bytes`));
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

function explain(error: unknown, asked: ServiceQuestion, signal: AbortSignal): unknown {
  if (error instanceof ModTsError) return error;
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (code.startsWith("HPE_")) return unusable(asked, message);
  const reason = signal.aborted ? `nothing within ${asked.timeout} ms` : message || code;
  return new ModTsError("MODTS_AUTH_SERVICE_DOWN", { url: shown(asked), reason }, { cause: error });
}

function unusable(service: Service, reason: string): ModTsError {
  return new ModTsError("MODTS_AUTH_SERVICE_ANSWER", { url: shown(service), reason });
}

/** The address without its query, which may contain a key. */
export function shown({ url, socketPath }: Service): string {
  return (socketPath === undefined ? url.origin : `unix:${socketPath}:`) + url.pathname;
}
