/**
 * What a decision costs: `node bench/authorizer.ts [rounds] [seconds] [pattern of cases]`. One static file, in one run:
 * without authentication; decided by a handler that says OK, at 16 and at 64 connections; let through by a ticket
 * (`TsTicket`); Basic against SQLite with the
 * cache of passwords off and on; httpd's own `AuthBasicProvider file`; and the floor: a server of a few lines that
 * accepts, takes the bytes of the question, and sends the same answer.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { freePort } from "../src/httpd/private-server.ts";
import { cpuMicroseconds, descendants } from "./cpu.ts";
import { onStage, untilOk } from "./stage.ts";
import { median, run } from "./wrk.ts";

const rounds = Number(process.argv[2] ?? 3);
const seconds = Number(process.argv[3] ?? 3);
const chosen = new RegExp(process.argv[4] ?? "");
const port = await freePort("127.0.0.1");
const floor = await freePort("127.0.0.1");
const secret = randomBytes(16).toString("hex");
const authorization = `Basic ${Buffer.from("john:secret").toString("base64")}`;

const sql = (cache: number): string => `AuthType Basic
    AuthName "Members"
    Use TsAuthenHandler mod_ts/sql
    Use TsOption mod_ts.sql.dsn sqlite:\${FOLDER}/users.db
    Use TsOption mod_ts.sql.cache ${cache}
    Use TsOption mod_ts.sql.attempts 0
    Require valid-user`;

const sections: Record<string, string> = {
  open: "",
  trivial: "AuthType mod_ts\nUse TsAccessHandler ok.ts\nRequire valid-user",
  ticket: "AuthType mod_ts\nUse TsAccessHandler ok.ts\nUse TsTicket\nRequire mod_ts_ticket",
  floor: `AuthType floor
    AuthnzFcgiCheckAuthnProvider floor Authoritative On RequireBasicAuth Off UserExpr "%{reqenv:REMOTE_USER}" DefaultUser -
    Require valid-user`,
  file: `AuthType Basic
    AuthName "File"
    AuthBasicProvider file
    AuthUserFile "\${FOLDER}/htpasswd"
    Require valid-user`,
  sql: sql(0),
  cached: sql(60),
};

await onStage(
  {
    before: `Define MOD_TS_AUTHORIZER 127.0.0.1:${port}\nDefine MOD_TS_SECRET ${secret}`,
    conf: `AuthnzFcgiDefineProvider authn floor fcgi://127.0.0.1:${floor}/
${Object.entries(sections)
  .map(([name, lines]) => `<Location "/${name}">\n    ${lines}\n</Location>`)
  .join("\n")}`,
    files: {
      ...Object.fromEntries(Object.keys(sections).map((name) => [`htdocs/${name}/a.txt`, "a\n"])),
      "handlers/ok.ts": "export const accessHandler = () => 0;\n",
      // john:secret
      htpasswd: "john:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n",
    },
    config: { authorizer: { port }, secret },
  },
  async (stage) => {
    await prepareUsers(join(stage.folder, "users.db"));
    const sidecar = stage.startSidecar();
    const echo = stage.start(join(import.meta.dirname, "echo.ts"), String(floor));
    const cases = [
      { name: "no authentication, 16", path: "open", connections: 16 },
      { name: "ticket, 16", path: "ticket", connections: 16 },
      { name: "floor: TCP echo, 16", path: "floor", connections: 16 },
      { name: "trivial handler, 16", path: "trivial", connections: 16 },
      { name: "floor: TCP echo, 64", path: "floor", connections: 64 },
      { name: "trivial handler, 64", path: "trivial", connections: 64 },
      { name: "AuthBasicProvider file, 16", path: "file", connections: 16 },
      { name: "Basic + SQLite, 16", path: "sql", connections: 16 },
      { name: "Basic + SQLite, cached, 16", path: "cached", connections: 16 },
    ].filter(({ name }) => chosen.test(name));
    for (const { path } of cases) await untilOk(`${stage.url}${path}/a.txt`, { authorization });
    const cookie = await ticketFor(`${stage.url}ticket/a.txt`);
    const results = new Map(
      cases.map(({ name }) => [name, { rate: [] as number[], cpu: [] as number[] }]),
    );
    for (let round = 0; round < rounds; round += 1) {
      for (const { name, path, connections } of cases) {
        const watched = [
          ...descendants(stage.httpdPid),
          ...descendants(sidecar.pid ?? 0),
          echo.pid ?? 0,
        ];
        const before = cpuMicroseconds(watched);
        const headers = [`Authorization: ${authorization}`, `Cookie: ${cookie}`];
        const result = run(`${stage.url}${path}/a.txt`, seconds, { connections, headers });
        // A few are httpd's own: it resets connections while it moves threads between its processes.
        if (result.failed > result.requests / 100) {
          throw new Error(`${result.failed} failed requests: ${name}`);
        }
        results.get(name)?.rate.push(result.rate);
        results.get(name)?.cpu.push((cpuMicroseconds(watched) - before) / result.requests);
      }
      process.stderr.write(`round ${round + 1} of ${rounds}\r`);
    }
    console.table(
      Object.fromEntries(
        [...results].map(([name, { rate, cpu }]) => [
          name,
          { "requests/s": Math.round(median(rate)), "CPU µs/request": Math.round(median(cpu)) },
        ]),
      ),
    );
    console.log(
      `httpd ${stage.httpdVersion}, Node ${process.version}, ${rounds} rounds of ${seconds} s`,
    );
  },
);

/** The cookie of a ticket; the files of handlers must have been quiet for a moment. */
async function ticketFor(url: string): Promise<string> {
  for (let tries = 0; tries < 1000; tries += 1) {
    const { headers } = await fetch(url, { headers: { authorization } });
    const [cookie] = headers.get("set-cookie")?.split(";") ?? [];
    if (cookie) return cookie;
  }
  throw new Error("no ticket");
}

/** One user with an argon2id hash, as `mod_ts/sql` expects them. */
async function prepareUsers(file: string): Promise<void> {
  const { DatabaseSync } = await import("node:sqlite");
  const { hash } = await import("@node-rs/argon2");
  const database = new DatabaseSync(file);
  database.exec("CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT NOT NULL)");
  database
    .prepare("INSERT INTO users VALUES (?, ?)")
    .run("john", await hash("secret", { salt: randomBytes(16) }));
  database.close();
}
