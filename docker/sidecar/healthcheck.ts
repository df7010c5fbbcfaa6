/**
 * Health check of the sidecar container: sends requests through both transports, like Apache, to a separate handler, and exits with 0
 * when both succeed. Attack: with content but without access control, Apache would serve unprotected pages; so both must work.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";

/** For each transport; compose limits the whole check to 5 seconds. */
const timeoutMs = 2000;
const file = "/srv/health/health.ts";
const { env } = process;
const port = Number(env["MOD_TS_LISTEN_PORT"] || 0);
const socketPath = `${env["MOD_TS_RUN"] ?? "/run/mod-ts"}/main.sock`;
const gateway = port > 0 ? { host: "127.0.0.1", port } : { socketPath };
const hasAuthorizer = env["MOD_TS_AUTHORIZER_HOST"] !== "none";
const secret = readFileSync(env["MOD_TS_SECRET_FILE"] ?? "", "utf8").trim();

try {
  await Promise.all([askGateway(), hasAuthorizer && askAuthorizer()]);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}

/** HTTP transport. The fields are those of the macro TsTellHandler in mod_ts.conf, in its order. */
function askGateway(): Promise<void> {
  const [uri, line, host] = ["/health", "GET /health HTTP/1.1", "localhost"].map(base64);
  const before = [2, time(), "http", 80, "127.0.0.1", 1, "127.0.0.1", "", "HTTP/1.1"];
  const after = [line, base64(file), "", uri, "", "", "", host, ...Array(12).fill("")];
  const context = [...before, ...after].join(";");
  const headers = {
    "Mod-Ts-Context": `${seal("gateway", context)};${context}`,
    "Mod-Ts-Config": `handler ${file}`,
  };
  const place = port > 0 ? `port ${port}` : socketPath;
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => reject(new Error(`gateway, ${place}: ${reason}`));
    const asked = request(
      { ...gateway, path: "/health", headers, timeout: timeoutMs },
      (response) => {
        response.resume();
        response.once("error", (error) => fail(error.message));
        response.once("end", () =>
          response.statusCode === 200 ? resolve() : fail(`status ${response.statusCode}`),
        );
      },
    );
    asked.once("timeout", () => asked.destroy(new Error("no answer")));
    asked.once("error", (error) => fail(error.message));
    asked.end();
  });
}

/** FastCGI transport. Source: FastCGI Specification 1.0, sections 3.3 and 6.3; the parameters are those of TsAskAuthorizer. */
function askAuthorizer(): Promise<void> {
  const sealed = [time(), ...["GET /health HTTP/1.1", "/health", "", file].map(base64)].join(" ");
  const policy = `\nask\naccess ${file}`;
  const mac = seal("authorizer", `${sealed} GET http 127.0.0.1 localhost 80 ${policy}`);
  const parameters = {
    FCGI_APACHE_ROLE: "AUTHENTICATOR",
    FCGI_ROLE: "AUTHORIZER",
    MOD_TS_POLICY: `${policy}\nseal ${sealed} ${mac}`,
    SCRIPT_FILENAME: file,
    REQUEST_URI: "/health",
    REQUEST_METHOD: "GET",
    REQUEST_SCHEME: "http",
    SERVER_PROTOCOL: "HTTP/1.1",
    SERVER_NAME: "localhost",
    SERVER_PORT: "80",
    REMOTE_ADDR: "127.0.0.1",
  };
  const authorizer = Buffer.from([0, 2, 0, 0, 0, 0, 0, 0]);
  const pairs = Buffer.concat(Object.entries(parameters).map(pair));
  const question = [record(1, authorizer), record(4, pairs), record(4), record(5)];
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => reject(new Error(`authorizer, port 9701: ${reason}`));
    const socket = connect({ host: "127.0.0.1", port: 9701, timeout: timeoutMs });
    let answer = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => (answer += chunk));
    socket.once("timeout", () => socket.destroy(new Error("no answer")));
    socket.once("error", (error) => fail(error.message));
    socket.once("end", () =>
      answer.includes("Status: 200") ? resolve() : fail(/Status: .*/.exec(answer)?.[0] ?? "closed"),
    );
    socket.write(Buffer.concat(question));
  });
}

/** As the macros TsTellHandler and TsSeal write it. */
function seal(transport: string, text: string): string {
  const digest = (data: string): string =>
    createHash("sha1").update(`${transport} ${secret} ${data}`).digest("hex");
  return digest(digest(text));
}

/** `%t` of mod_headers: microseconds since 1970. */
function time(): string {
  return `t=${Date.now()}000`;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function record(type: number, content: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.from([1, type, 0, 1, 0, 0, 0, 0]);
  header.writeUInt16BE(content.length, 4);
  return Buffer.concat([header, content]);
}

/** The four-byte form is valid for every length. */
function pair([name, value]: [string, string]): Buffer {
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE((name.length | 0x80000000) >>> 0, 0);
  lengths.writeUInt32BE((value.length | 0x80000000) >>> 0, 4);
  return Buffer.concat([lengths, Buffer.from(name + value)]);
}
