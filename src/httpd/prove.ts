/**
 * Proves on a private httpd that this machine's Apache, with this package's `mod_ts.conf`, keeps every promise on the wire.
 * @module
 */
import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasModule, type Httpd } from "./find.ts";
import type { Finding } from "./finding.ts";
import { createPrivateServer, type PrivateServer } from "./private-server.ts";
import { confFile } from "./render.ts";

const marker = "export const source = 'mod-ts-check';";

const secret = "mod-ts-check-secret";

const remoteIp = "mod_remoteip";

const guard = "modtscheckmodtscheckmodtscheck12";

const clientIsLocal = `Mod-Ts-Client-${guard}: 127.0.0.1`;

/** As `origin/tickets.ts` writes it, from this machine. */
function ticketFor(requestLine: string): string {
  return `pass;1;;${sha1(secret + sha1(`${secret}pass;1; 127.0.0.1 http ${requestLine}`))}`;
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

/** One attack: the bytes that a client sends, and what must be true of the way they are handled. */
interface Attack {
  what: string;
  bytes: string;
  /** `seen`: raw headers that reached the sidecar, undefined when nothing did; `answer`: what came back. */
  holds(seen: readonly string[] | undefined, answer: string): boolean;
}

const attacks: readonly Attack[] = [
  {
    what: "our headers, sent by a client, are removed",
    bytes: get(
      "/handler",
      "Mod-Ts-Config: handler evil.ts",
      "mod-ts-context: 1;x",
      "MOD-TS-ENV: A=YQ==",
    ),
    holds: (seen) => isClean(seen),
  },
  {
    what: "a client cannot have our headers removed by naming them in Connection",
    bytes: get("/handler", "Connection: Mod-Ts-Context, mod-ts-config, close"),
    holds: (seen) => isClean(seen),
  },
  {
    what: "TRACE is refused",
    bytes: "TRACE /handler HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n",
    holds: (seen, answer) => !seen && !/^HTTP\/1\.1 200|check-secret/.test(answer),
  },
  {
    what: "the source of a handler is not served",
    bytes: get("/hello.ts"),
    holds: (_, answer) => answer.startsWith("HTTP/1.1 403 ") && !answer.includes(marker),
  },
  {
    what: "a section with SetHandler None does not undo that",
    bytes: get("/static/hello.ts"),
    holds: (_, answer) => answer.startsWith("HTTP/1.1 403 ") && !answer.includes(marker),
  },
];

/** Where Apache has what call backs need. */
const callBackAttacks: readonly Attack[] = [
  {
    what: "a client cannot pass for a call back of the sidecar",
    bytes: get("/handler", `Mod-Ts-Origin: pass;1;;${"0".repeat(40)}`, clientIsLocal),
    holds: (seen, answer) => !seen && answer.startsWith("HTTP/1.1 403 "),
  },
  {
    what: "a ticket that was overheard opens no other address",
    bytes: get("/static/", `Mod-Ts-Origin: ${ticketFor("GET /handler HTTP/1.1")}`, clientIsLocal),
    holds: (seen, answer) => !seen && answer.startsWith("HTTP/1.1 403 "),
  },
  {
    what: "a call back of the sidecar reaches what Apache has, and no handler",
    bytes: get("/handler", `Mod-Ts-Origin: ${ticketFor("GET /handler HTTP/1.1")}`, clientIsLocal),
    holds: (seen, answer) =>
      !seen &&
      /^HTTP\/1\.1 404 [^]*\r\nMod-Ts-Origin: 1;/i.test(answer) &&
      !/\nVary: Mod-Ts/.test(answer),
  },
];

/** Starts httpd in a temporary folder, attacks it, removes everything. Throws what `createPrivateServer` throws. */
export async function prove(httpd: Httpd): Promise<Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), "mod-ts-check-"));
  chmodSync(folder, 0o755);
  const backend = new ProofBackend();
  try {
    await backend.listen(join(folder, "main.sock"));
    const server = await startServer(httpd, folder);
    try {
      const findings: Finding[] = [];
      const canCall = hasModule(httpd, remoteIp);
      const all = canCall ? [...attacks, ...callBackAttacks] : attacks;
      for (const attack of all) findings.push(await judge(attack, server, backend));
      await backend.close();
      findings.push(await judge(sidecarDown, server, backend));
      return findings;
    } finally {
      await server.stop();
    }
  } finally {
    await backend.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const sidecarDown: Attack = {
  what: "the source of a handler is not served while the sidecar is down",
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
  if (attack.holds(backend.seen, answer)) return { level: "ok", what };
  const status = answer.split("\r\n", 1)[0] ?? "";
  return {
    level: "bad",
    what: `does not hold: ${what}`,
    where: `${attack.bytes.split("\r\n", 1)[0]} (${status || "no answer"})`,
    todo: `is ${confFile} as it was shipped? If so, this httpd behaves as none that we know: please report it`,
  };
}

async function startServer(httpd: Httpd, folder: string): Promise<PrivateServer> {
  for (const name of ["htdocs", "htdocs/static"]) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "hello.ts"), marker);
  }
  return createPrivateServer({
    folder,
    httpd,
    conf: `Define MOD_TS_RUN "${folder}"
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

/** In the place of the sidecar: refuses what has no context, and remembers what it saw. */
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
    // httpd runs as another user when we are root. The folder is ours, and gone in a second.
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

/** Exactly the headers that the macro writes, with the secret. */
function isClean(seen: readonly string[] | undefined): boolean {
  const ours = (seen ?? []).flatMap((name, index) =>
    index % 2 === 0 && /^mod-ts-/i.test(name) ? [`${name}: ${seen?.[index + 1]}`] : [],
  );
  const [config, context, ...more] = ours;
  return (
    more.length === 0 &&
    config === "Mod-Ts-Config: handler hello.ts" &&
    context?.startsWith(`Mod-Ts-Context: 1;${secret};`) === true
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
    socket.setTimeout(10_000, () => socket.destroy(new Error("no answer within 10 s")));
    socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
    socket.once("error", reject);
    socket.once("close", () => resolve(text));
  });
}
