/** A real nginx asks by `auth_request`; skipped where there is none. The configuration is the one of docs/forward-auth.md. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { startWorker } from "../fixtures/gateway.ts";
import { startHeaderEcho } from "../fixtures/header-echo.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

const nginx = "/usr/sbin/nginx";
const secret = "0123456789abcdef";

/** The `nginx` snippet of the page, with our addresses in it. */
function snippet(sidecar: number, echo: number): string {
  const page = readFileSync(join(import.meta.dirname, "../../docs/forward-auth.md"), "utf8");
  const [, text = ""] = /```nginx\n([^]*?)```/.exec(page) ?? [];
  return text
    .replace("http://unix:/run/mod-ts/main.sock:/", `http://127.0.0.1:${sidecar}/`)
    .replace("at-least-16-characters", secret)
    .replace("http://127.0.0.1:8080", `http://127.0.0.1:${echo}`);
}

async function startNginx(t: Test, sidecar: number, echo: number): Promise<number> {
  const folder = shortFolder(t);
  mkdirSync(join(folder, "htdocs/wiki"), { recursive: true });
  const port = await freePort("127.0.0.1");
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, "nginx.conf"),
    `${process.getuid?.() === 0 ? "user root;" : ""}
    daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
    events {}
    http { access_log off; merge_slashes on; ${paths.join(" ")}
      server { listen 127.0.0.1:${port}; ${snippet(sidecar, echo)} } }`,
  );
  const options = ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")];
  const child = spawn(nginx, options, { stdio: ["ignore", "inherit", "inherit"] });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  t.teardown(async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
    process.off("exit", kill);
  });
  await listening(port, child, () => readFileSync(join(folder, "error.log"), "utf8"));
  return port;
}

async function listening(port: number, child: ChildProcess, log: () => string): Promise<void> {
  for (let tries = 0; tries < 5000; tries += 1) {
    if (child.exitCode !== null) throw new Error(`nginx ended:\n${log()}`);
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
    await sleep(10);
  }
  throw new Error("nginx does not listen");
}

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

function send(port: number, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, headers, agent: false });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.once("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    outgoing.end();
  });
}

t.test("nginx", { skip: existsSync(nginx) ? false : "there is no nginx" }, async (t) => {
  const worker = await startWorker(
    t,
    {
      "wiki.ts": `
        import { HttpError, OK, type ApacheRequest } from "mod-ts";
        export function authenHandler(req: ApacheRequest) {
          if (req.headersIn.get("x-broken")) throw new Error("policy");
          if (req.uri.startsWith("/wiki/admin")) return 403;
          if (!req.headersIn.get("cookie")?.includes("session=ann")) {
            const back = encodeURIComponent(req.constructUrl(req.unparsedUri));
            throw new HttpError(302, { headers: { location: "https://login.example/?rd=" + back } });
          }
          req.user = "ann";
          req.subprocessEnv.set("REMOTE_GROUPS", req.method + " " + req.useragentIp);
          return OK;
        }
      `,
    },
    { secret, auth: { wiki: { convention: "original", authen: "wiki.ts" } } },
  );
  const port = await startNginx(t, worker.port, await startHeaderEcho(t));
  const ann = { cookie: "session=ann" };
  const ask = (path: string, headers: Record<string, string> = {}): Promise<Reply> =>
    send(port, path, { host: "wiki.example", ...headers });

  await t.test(
    "allow: the application gets user and groups, whatever the client says",
    async (t) => {
      const forged = {
        "Remote-User": "root",
        "Remote-Groups": "wheel",
        "X-Original-Method": "DELETE",
        "X-Real-IP": "6.6.6.6",
        "X-Original-URL": "http://wiki.example/public",
      };
      const { status, body } = await ask("/wiki/page", { ...ann, ...forged });
      t.equal(status, 200);
      const headers = JSON.parse(body) as string[];
      const value = (name: string): string | undefined => headers[headers.indexOf(name) + 1];
      t.equal(value("remote-user"), "ann");
      t.equal(value("remote-groups"), "GET 127.0.0.1");
      t.notMatch(body, /root|wheel|0123456789abcdef/);
    },
  );

  await t.test("deny: 403", async (t) => {
    for (const path of [
      "/wiki/admin",
      "/wiki//admin/x",
      "/wiki/x/../admin",
      "/wiki/%61dmin",
      "//wiki/admin",
    ]) {
      const { status, body } = await ask(path, ann);
      t.equal(status, 403, path);
      t.notMatch(body, /remote-user/);
    }
  });

  await t.test("deny: redirect to the login by error_page", async (t) => {
    const { status, headers } = await ask("/wiki/page?x=1");
    t.equal(status, 302);
    t.equal(
      headers.location,
      "https://login.example/?rd=http%3A%2F%2Fwiki.example%2Fwiki%2Fpage%3Fx%3D1",
    );
  });

  await t.test("everything else is no pass", async (t) => {
    for (const [path, headers] of [
      ["/wiki/page", { ...ann, "x-broken": "1" }],
      ["/wiki/a%2F..%2Fadmin", ann],
    ] as const) {
      const { status, body } = await ask(path, headers);
      t.equal(status, 500, path);
      t.notMatch(body, /remote-user/);
    }
    t.equal((await ask("/.mod-ts/auth/wiki", ann)).status, 404, "not for clients");
  });
});
