/** Tickets end with what the answer depended on: rows of a database, keys of tokens, the sidecar itself. */
import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { SignJWT } from "jose";
import t from "tap";
import { askUpgrade } from "../../src/supervisor/control.ts";
import { findSupervisor } from "../../src/supervisor/run-directory.ts";
import { type Reply, startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const secret = "0123456789abcdef";
const keys = generateKeyPairSync("ed25519");
const pem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }) as string;
const ticket = "Use TsTicket\nRequire mod_ts_ticket";
const hash = (password: string): string => createHash("md5").update(password).digest("hex");
const seed = (mode: string): string => `PRAGMA journal_mode = ${mode};
CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT NOT NULL);
INSERT INTO users VALUES ('ann', '${hash("pass")}'), ('bob', '${hash("pass")}');\n`;
const modes = ["wal", "delete"];

const apache = await startApache(t, {
  authorizer: true,
  before: `Define MOD_TS_SECRET ${secret}`,
  config: { secret, log: { level: "info" } },
  conf: `Header always set X-User "expr=%{REMOTE_USER}" "expr=-n %{REMOTE_USER}"
    ${modes
      .map(
        (mode) => `<Location "/${mode}">
          AuthType Basic\nAuthName x\nUse TsAuthenHandler mod_ts/sql
          Use TsOption mod_ts.sql.dsn sqlite:${mode}.db\nUse TsOption mod_ts.sql.seed ${mode}.sql
          Use TsOption mod_ts.sql.legacy md5
          ${ticket}
        </Location>`,
      )
      .join("\n")}
    <Location "/jwt">
      AuthType mod_ts\nUse TsPassAuthorization\nUse TsAuthenHandler mod_ts/jwt
      Use TsOption mod_ts.jwt.key key.pem\nUse TsOption mod_ts.jwt.issuer any
      Use TsOption mod_ts.jwt.audience api
      ${ticket}
    </Location>`,
  files: {
    "key.pem": pem(keys.publicKey),
    ...Object.fromEntries(modes.map((mode) => [`${mode}.sql`, seed(mode)])),
    ...Object.fromEntries([...modes, "jwt"].map((name) => [`htdocs/${name}/a.txt`, "SECRET\n"])),
  },
});

t.teardown(async () => {
  const run = join(apache.folder, "run");
  const pid = findSupervisor(run);
  if (pid !== undefined) process.kill(pid, "SIGTERM");
  while (findSupervisor(run) !== undefined) await sleep(20);
});

/** Someone with credentials, who keeps the ticket. */
class Visitor {
  readonly #authorization: string;
  cookie = "";

  constructor(authorization: string) {
    this.#authorization = authorization;
  }

  async get(path: string): Promise<Reply & { asked: boolean }> {
    const { cookie } = this;
    const headers = { authorization: this.#authorization, ...(cookie && { cookie }) };
    const reply = await apache.request(path, { headers });
    const [line] = reply.headers["set-cookie"] ?? [];
    if (line) this.cookie = line.split(";")[0] as string;
    // Apache has a user of its own only where the sidecar was asked for it.
    return { ...reply, asked: reply.headers["x-user"] !== undefined };
  }

  /** Asks until Apache passes by itself. */
  async holding(path: string): Promise<this> {
    for (let tries = 0; tries < 500; tries += 1) {
      const { status, asked } = await this.get(path);
      // A file may be too young to tell its versions apart: then there is no ticket yet.
      if (status !== 200 && status !== 503) throw new Error(`${path}: ${status}`);
      if (status === 200 && !asked) return this;
      await sleep(10);
    }
    throw new Error(`${path}: no ticket\n${apache.sidecarLog()}`);
  }
}

const withPassword = (user: string, password = "pass"): Visitor =>
  new Visitor(`Basic ${btoa(`${user}:${password}`)}`);

async function withToken(expires: number | string = "1h", key = keys.privateKey): Promise<Visitor> {
  const token = await new SignJWT({ sub: "bot", aud: "api" })
    .setProtectedHeader({ alg: "EdDSA" })
    .setExpirationTime(expires)
    .sign(key);
  return new Visitor(`Bearer ${token}`);
}

for (const mode of modes) {
  t.test(`mod_ts/sql: a password changes in an SQLite database (journal: ${mode})`, async (t) => {
    const path = `/${mode}/a.txt`;
    const [ann, bob] = [
      await withPassword("ann").holding(path),
      await withPassword("bob").holding(path),
    ];
    const database = new DatabaseSync(join(apache.folder, `${mode}.db`));
    t.teardown(() => database.close());
    database.prepare("UPDATE users SET password = ? WHERE name = 'ann'").run(hash("word"));
    database.prepare("DELETE FROM users WHERE name = 'bob'").run();
    await until(apache.sidecarLog, new RegExp(`${mode}\\.db(?:-wal)? has changed: all tickets`));
    t.equal((await ann.get(path)).status, 401, "the old password");
    t.equal((await bob.get(path)).status, 401, "a removed user");
    await withPassword("ann", "word").holding(path);
  });
}

t.test("mod_ts/jwt: another key", async (t) => {
  const visitor = await (await withToken()).holding("/jwt/a.txt");
  const next = generateKeyPairSync("ed25519");
  apache.write("key.pem", pem(next.publicKey));
  await until(apache.sidecarLog, /key\.pem has changed: all tickets/);
  t.equal((await visitor.get("/jwt/a.txt")).status, 401, "signed with the old key");
  await (await withToken("1h", next.privateKey)).holding("/jwt/a.txt");
  apache.write("key.pem", pem(keys.publicKey));
  await until(apache.sidecarLog, /(?:key\.pem has changed[^]*){2}/);
});

t.test("mod_ts/jwt: no ticket outlives its token", async (t) => {
  for (const seconds of [40, 70, 3600]) {
    const exp = Math.floor(Date.now() / 1000) + seconds;
    const visitor = await (await withToken(exp)).holding("/jwt/a.txt");
    const end = Number(/^mod_ts_ticket=(\d{10})\//.exec(visitor.cookie)?.[1]);
    t.ok(end > exp - seconds && end <= exp, `${end}: not after ${exp}`);
  }
});

t.test("an upgrade ends tickets: the successor is asked, and gives new ones", async (t) => {
  const visitors = [await withPassword("ann", "word").holding("/wal/a.txt")];
  visitors.push(await (await withToken()).holding("/jwt/a.txt"));
  t.match(await askUpgrade(join(apache.folder, "run"), apache.folder), { ok: true });
  for (const [index, path] of ["/wal/a.txt", "/jwt/a.txt"].entries()) {
    const visitor = visitors[index]!;
    t.match(await visitor.get(path), { status: 200, body: "SECRET\n", asked: true }, path);
    await visitor.holding(path);
  }
});
