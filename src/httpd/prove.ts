/** Attacks on a private httpd of this machine with the `mod_ts.conf` of this package. */
import { createSeal } from "../base/crypto.ts";
import { withScratch } from "../base/scratch.ts";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { hasModule, type Httpd } from "./find.ts";
import { type Finding, finding } from "./finding.ts";
import { createPrivateServer, type PrivateServer } from "./private-server.ts";
import { confFile } from "./render.ts";

const marker = "export const source = 'mod-ts-check';";
const secret = "mod-ts-check-secret";
const remoteIp = "mod_remoteip";
const guard = "modtscheckmodtscheckmodtscheck12";
const clientIsLocal = `Mod-Ts-Client-${guard}: 127.0.0.1`;

/** For `GET /handler` from this machine, as `engine/callback-token.ts` makes it. */
const token = `pass;1;;${createSeal(secret, "callback")("pass;1; 127.0.0.1 http GET /handler HTTP/1.1")}`;

/** Bytes of a client, and the condition for the defense. */
interface Attack {
  what: string;
  bytes: string;
  /** `seen`: raw headers that reached the sidecar, if any. */
  holds(seen: readonly string[] | undefined, answer: string): boolean;
}

const attacks: readonly Attack[] = [
  {
    what: "forged Mod-Ts headers of a client are removed",
    bytes: get(
      "/handler",
      "Mod-Ts-Config: handler evil.ts",
      "mod-ts-context: 1;x",
      "MOD-TS-ENV: A=YQ==",
    ),
    holds: (seen) => isClean(seen),
  },
  {
    what: "a client cannot remove Mod-Ts headers by naming them in Connection",
    bytes: get("/handler", "Connection: Mod-Ts-Context, mod-ts-config, close"),
    holds: (seen) => isClean(seen),
  },
  {
    what: "TRACE is rejected",
    bytes: "TRACE /handler HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n",
    holds: (seen, answer) => !seen && !/^HTTP\/1\.1 200|check-secret/.test(answer),
  },
  {
    what: "source files of handlers are not served",
    bytes: get("/hello.ts"),
    holds: isForbidden,
  },
  {
    what: "source files are not served in a section with SetHandler None",
    bytes: get("/static/hello.ts"),
    holds: isForbidden,
  },
];

/** If Apache has the modules for callbacks. */
const callbackAttacks: readonly Attack[] = [
  {
    what: "a client cannot forge a callback of the sidecar",
    bytes: get("/handler", `Mod-Ts-Origin: pass;1;;${"0".repeat(40)}`, clientIsLocal),
    holds: (seen, answer) => !seen && answer.startsWith("HTTP/1.1 403 "),
  },
  {
    what: "a callback token is valid for its URL only",
    bytes: get("/static/", `Mod-Ts-Origin: ${token}`, clientIsLocal),
    holds: (seen, answer) => !seen && answer.startsWith("HTTP/1.1 403 "),
  },
  {
    what: "a callback reaches resources of Apache, and no handler",
    bytes: get("/handler", `Mod-Ts-Origin: ${token}`, clientIsLocal),
    holds: (seen, answer) =>
      !seen &&
      /^HTTP\/1\.1 404 [^]*\r\nMod-Ts-Origin: 1;/i.test(answer) &&
      !/\nVary: Mod-Ts/.test(answer),
  },
];

/** Starts httpd in a temporary directory and attacks it. Throws like `createPrivateServer`. */
export function prove(httpd: Httpd): Promise<Finding[]> {
  return withScratch("mod-ts-check-", (directory) => proveIn(directory, httpd));
}

async function proveIn(directory: string, httpd: Httpd): Promise<Finding[]> {
  chmodSync(directory, 0o755);
  const backend = new ProofBackend();
  try {
    await backend.listen(join(directory, "main.sock"));
    const server = await startServer(httpd, directory);
    try {
      const findings: Finding[] = [];
      const canCall = hasModule(httpd, remoteIp);
      const all = canCall ? [...attacks, ...callbackAttacks] : attacks;
      for (const attack of all) findings.push(await judge(attack, server, backend));
      await backend.close();
      findings.push(await judge(sidecarDown, server, backend));
      return findings;
    } finally {
      await server.stop();
    }
  } finally {
    await backend.close();
  }
}

const sidecarDown: Attack = {
  what: "source files of handlers are not served while the sidecar is down",
  bytes: get("/hello.ts"),
  holds: (_, answer) => answer.startsWith("HTTP/1.1 503 ") && !answer.includes(marker),
};

async function judge(
  attack: Attack,
  server: PrivateServer,
  backend: ProofBackend,
): Promise<Finding> {
  backend.seen = undefined;
  const answer = await exchange(server.port, attack.bytes);
  const { what } = attack;
  if (attack.holds(backend.seen, answer)) return finding("ok", what);
  const [requestLine, status] = [attack.bytes, answer].map((text) => text.split("\r\n", 1)[0]);
  return finding("bad", `not true: ${what}`, {
    where: `${requestLine} (${status || "no response"})`,
    todo: `restore ${confFile} as shipped; if it is unchanged, please report this httpd`,
  });
}

async function startServer(httpd: Httpd, directory: string): Promise<PrivateServer> {
  for (const name of ["htdocs", "htdocs/static"]) {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, "hello.ts"), marker);
  }
  return createPrivateServer({
    directory,
    httpd,
    conf: `Define MOD_TS_RUN "${directory}"
Define MOD_TS_SECRET "${secret}"
<IfModule ${remoteIp}.c>
    Define MOD_TS_ORIGIN "${guard}"
</IfModule>
Include "${confFile}"
<Location "/handler">
    Use TsHandler hello.ts
</Location>
<Location "/static">
    SetHandler None
</Location>`,
  });
}

/** Stand-in for the sidecar: rejects requests without context, and keeps the last headers. */
class ProofBackend {
  seen: readonly string[] | undefined;
  readonly #server: Server = createServer((request, response) => {
    this.seen = request.rawHeaders;
    response.writeHead(request.headers["mod-ts-context"] === undefined ? 403 : 200);
    response.end();
  });

  async listen(path: string): Promise<void> {
    this.#server.listen(path);
    await once(this.#server, "listening");
    // Started by root, httpd runs as another user. The directory is private and short-lived.
    chmodSync(path, 0o777);
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function isForbidden(_: unknown, answer: string): boolean {
  return answer.startsWith("HTTP/1.1 403 ") && !answer.includes(marker);
}

/** Only the headers that the macro sets, with the secret. */
function isClean(seen: readonly string[] | undefined): boolean {
  const ours = (seen ?? []).flatMap((name, index) =>
    index % 2 === 0 && /^mod-ts-/i.test(name) ? [`${name}: ${seen?.[index + 1]}`] : [],
  );
  const [config, context = "", told, ...more] = ours;
  const [, seal, sealed = ""] = /^Mod-Ts-Context: ([0-9a-f]{40});(2;[^]*)$/.exec(context) ?? [];
  return (
    more.length === 0 &&
    config === "Mod-Ts-Config: handler hello.ts" &&
    told === "Mod-Ts-Told: main" &&
    seal === createSeal(secret, "gateway")(sealed) &&
    !context.includes(secret)
  );
}

function get(path: string, ...headers: string[]): string {
  const connection = headers.some((line) => /^connection:/i.test(line))
    ? []
    : ["Connection: close"];
  return [`GET ${path} HTTP/1.1`, "Host: h", ...headers, ...connection, "", ""].join("\r\n");
}

function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.setTimeout(10_000, () => socket.destroy(new Error("no response within 10 s")));
    socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
    socket.once("error", reject);
    socket.once("close", () => resolve(text));
  });
}
