/** Attacks by time: tickets and sessions that are used, written and revoked at the same moment. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { revokeTickets } from "../../src/base/ticket-store.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Reply, startApache } from "../fixtures/httpd.ts";

const secret = "0123456789abcdef";
const rounds = 20;
const apache = await startApache(t, {
  authorizer: true,
  guards: 2,
  before: `Define MOD_TS_SECRET ${secret}`,
  config: { secret, pools: { main: { workers: 2 } } },
  conf: `
    Use TsOption mod_ts.login.location /login
    Use TsOption mod_ts.login.store htpasswd
    Use TsOption mod_ts.htpasswd.file users
    <Location "/login">
      Use TsHandler mod_ts/login
    </Location>
    <Location "/members">
      AuthType mod_ts
      Use TsAuthenHandler mod_ts/login
      Use TsTicket
      Require mod_ts_ticket
    </Location>
    <Location "/guarded">
      AuthType mod_ts
      Use TsAuthenHandler races.ts
      Use TsTicket
      Require mod_ts_ticket
    </Location>
    <Location "/session">
      Use TsHandler races.ts
    </Location>`,
  files: {
    users: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
    "htdocs/members/a.txt": "the secret\n",
    "htdocs/guarded/a.txt": "the secret\n",
  },
  handlers: { "races.ts": handlerFile("attacks/races.ts") },
});

/** Someone who keeps every cookie that was ever set, to use it again. */
class Hoarder {
  readonly cookies = new Map<string, Set<string>>();

  async get(path: string, more: Record<string, string> = {}): Promise<Reply> {
    const newest = [...this.cookies].map(([name, values]) => `${name}=${[...values].at(-1)}`);
    const cookie = [...newest, ...Object.entries(more).map((pair) => pair.join("="))].join("; ");
    return this.#send(path, { headers: { cookie, accept: "text/html" } });
  }

  post(path: string, fields: Record<string, string>): Promise<Reply> {
    const newest = [...this.cookies].map(([name, values]) => `${name}=${[...values].at(-1)}`);
    const headers = {
      cookie: newest.join("; "),
      "content-type": "application/x-www-form-urlencoded",
    };
    const body = new URLSearchParams(fields).toString();
    return this.#send(path, { method: "POST", headers, body });
  }

  async token(): Promise<string> {
    return /name="token" value="([^"]+)"/.exec((await this.get("/login")).body)?.[1] ?? "";
  }

  /** Every combination of a session and a ticket that there ever was. */
  async all(path: string): Promise<Set<number>> {
    const sets = [...this.cookies].map(([name, values]) =>
      [...values].filter(Boolean).map((value) => `${name}=${value}`),
    );
    const lines = sets.reduce<string[]>(
      (done, pairs) => done.flatMap((line) => pairs.map((pair) => `${line}; ${pair}`)),
      [""],
    );
    const replies = await Promise.all(
      lines.map((cookie) =>
        apache.request(path, { headers: { cookie: cookie.slice(2), accept: "text/html" } }),
      ),
    );
    return new Set(replies.map(({ status }) => status));
  }

  async #send(path: string, ask: Parameters<typeof apache.request>[1]): Promise<Reply> {
    const reply = await apache.request(path, ask);
    for (const line of reply.headers["set-cookie"] ?? []) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") continue;
      const values = this.cookies.get(name) ?? new Set();
      values.delete(value);
      this.cookies.set(name, values.add(value));
    }
    return reply;
  }
}

const hasTicket = ({ cookies }: Hoarder): boolean => cookies.has("mod_ts_ticket");

t.test("logout at the same time as use: afterwards no cookie is worth anything", async (t) => {
  let tickets = 0;
  for (let round = 0; round < rounds; round += 1) {
    const ann = new Hoarder();
    await ann.post("/login", {
      token: await ann.token(),
      action: "login",
      user: "ann",
      password: "pass",
    });
    // A ticket takes an answer that began after the last revocation.
    for (let tries = 0; tries < 200 && !hasTicket(ann); tries += 1) await ann.get("/members/a.txt");
    tickets += Number(hasTicket(ann));
    const token = await ann.token();
    const uses = Array.from({ length: 8 }, (_, at) => ann.get("/members/a.txt", { x: `${at}` }));
    const logout = ann.post("/login", { token, action: "logout" });
    t.equal((await logout).status, 303);
    t.same(await ann.all("/members/a.txt"), new Set([302]), `right after, round ${round}`);
    await Promise.all(uses);
    t.same(await ann.all("/members/a.txt"), new Set([302]), `when all is over, round ${round}`);
  }
  t.equal(tickets, rounds, "there was a ticket each time");
});

t.test("revocation while tickets are written", async (t) => {
  const file = join(apache.folder, "closed");
  let tickets = 0;
  for (let round = 0; round < rounds; round += 1) {
    const ann = new Hoarder();
    for (let tries = 0; tries < 200 && !hasTicket(ann); tries += 1) {
      await ann.get("/guarded/a.txt", { who: "ann" });
    }
    tickets += Number(hasTicket(ann));
    // Different cookies: each writes a ticket of its own.
    const uses = Array.from({ length: 12 }, (_, at) =>
      ann.get("/guarded/a.txt", { who: "ann", x: `${at}` }),
    );
    await uses[round % uses.length];
    writeFileSync(file, "");
    revokeTickets(join(apache.folder, "run"));
    for (const isOver of [false, true]) {
      if (isOver) await Promise.all(uses);
      for (const x of Array(12).keys()) {
        const { status } = await ann.get("/guarded/a.txt", { who: "ann", x: `${x}` });
        t.equal(status, 403, `round ${round}, ${x}, ${isOver}`);
      }
    }
    rmSync(file);
  }
  t.equal(tickets, rounds, "there was a ticket each time");
});

t.test("a session that ends while 16 requests write into it stays ended", async (t) => {
  for (let round = 0; round < rounds; round += 1) {
    const ann = new Hoarder();
    await ann.get("/session?login");
    const cookie = `tssid=${[...(ann.cookies.get("tssid") ?? [])].at(-1)}`;
    const ask = (what: string): Promise<Reply> =>
      apache.request(`/session?${what}`, { headers: { cookie } });
    t.equal((await ask("look")).body, "ann");
    const uses = Array.from({ length: 16 }, () => ask("use"));
    t.equal((await ask("logout")).status, 200);
    t.not((await ask("look")).body, "ann", `right after, round ${round}`);
    await Promise.all(uses);
    t.not((await ask("look")).body, "ann", `when all is over, round ${round}`);
  }
});

t.test("two logins at the same moment get two sessions, and the planted one is none", async (t) => {
  for (let round = 0; round < rounds; round += 1) {
    const planted = `tssid=${/tssid=([^;]+)/.exec(String((await apache.request("/session?use")).headers["set-cookie"]))?.[1]}`;
    const logins = await Promise.all(
      [1, 2].map(() => apache.request("/session?login", { headers: { cookie: planted } })),
    );
    const ids = logins.map(
      ({ headers }) => /tssid=([^;]+)/.exec(String(headers["set-cookie"]))?.[1],
    );
    t.equal(new Set(ids).size, 2);
    const { body } = await apache.request("/session?look", { headers: { cookie: planted } });
    t.not(body, "ann", `round ${round}`);
  }
});
