/** Content from three sidecars over TCP, behind httpd's own balancer, as docs/scaling.md says; guards and phases from a local one. */
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import t, { type Test } from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import {
  confFile,
  type Reply,
  startApache,
  startFurtherSidecar,
  temporaryFolder,
} from "../fixtures/httpd.ts";
import { childrenOf, haveEnded } from "../fixtures/processes.ts";
import { fences } from "../fixtures/markdown.ts";
import { startRedis } from "../fixtures/redis.ts";
import { until } from "../fixtures/until.ts";

const secret = "the-secret-of-the-balancer";
const handlers = {
  "chat.ts": handlerFile("balancer.ts"),
  "who.ts": handlerFile("who.ts"),
  "work.ts": handlerFile("balancer.ts"),
};
const keyFile = join(temporaryFolder(t), "login.key");
writeFileSync(keyFile, "k".repeat(32), { mode: 0o600 });
const redis = await startRedis(t);
const names = ["one", "two", "three"] as const;
type Name = (typeof names)[number];

const members = new Map(
  await Promise.all(
    names.map(async (name) => {
      const port = await freePort("127.0.0.1");
      const config = { secret, listen: { host: "127.0.0.1", port } };
      const started = await startFurtherSidecar(t, { handlers, config });
      return [name, { ...started, listens: port }] as const;
    }),
  ),
);
const member = (name: Name) => {
  const found = members.get(name);
  if (!found) throw new Error(name);
  return found;
};
const nameOf = (place: string): string | undefined =>
  names.find((name) => basename(member(name).folder) === place);

const page = readFileSync(join(import.meta.dirname, "../../docs/scaling.md"), "utf8");
const [define = "", ...sections] = fences(page).flatMap(({ info, text }) =>
  info === "text" ? [text] : [],
);
const documented = names.reduce(
  (text, name, index) =>
    text.replace(`192.0.2.${11 + index}:9700`, `127.0.0.1:${member(name).listens}`),
  sections.join("\n").replace("192.0.2.10", "127.0.0.1"),
);

const apache = await startApache(t, {
  authorizer: true,
  modules: [
    "mod_lbmethod_bybusyness",
    "mod_proxy_balancer",
    "mod_proxy_hcheck",
    "mod_proxy_scgi",
    "mod_slotmem_shm",
  ],
  handlers,
  config: { secret },
  before: `Define MOD_TS_SECRET ${secret}\n${define}`,
  files: {
    "htdocs/fixed/a.txt": "a",
    // {SHA} of "secret": no time is lost with hashing here.
    users: "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n",
  },
  conf: `
    ${documented}
    Use TsOption mod_ts.session.store ${redis?.url ?? "memory"}
    <Location "/work">
      Use TsHandler work.ts
    </Location>
    <Location "/members/">
      AuthType mod_ts
      Use TsAuthenHandler work.ts
      Require valid-user
      Use TsHandler work.ts
    </Location>
    <Location "/fixed/">
      Use TsFixupHandler who.ts
    </Location>
    <Location "/count">
      Use TsHandler work.ts::counter
    </Location>
    Use TsOption mod_ts.login.location /login
    Use TsOption mod_ts.login.store htpasswd
    Use TsOption mod_ts.htpasswd.file "\${FOLDER}/users"
    Use TsOption mod_ts.login.key_file "${keyFile}"
    Use TsOption mod_ts.login.attempts 3
    Use TsOption mod_ts.login.limits ${redis?.url ?? "none"}
    Use TsOption mod_ts.login.ended ${redis?.url ?? "none"}
    <Location "/login">
      Use TsHandler mod_ts/login
      Header always set Served-By "%{BALANCER_WORKER_ROUTE}e"
    </Location>
    <Location "/inside/">
      AuthType mod_ts
      Use TsAuthenHandler mod_ts/login
      Require valid-user
      Use TsHandler work.ts
    </Location>
    <Location "/metrics/three">
      Use TsHandler mod_ts/status::metrics
      Use TsOption mod_ts.status.allow "127.0.0.1"
      Use TsOnlyMember main three
    </Location>
  `,
});
const manager = async (): Promise<string> => (await apache.request("/balancer-manager")).body;

/** Sets a member to draining, or back. */
async function drain(name: Name, isOn: boolean): Promise<void> {
  const nonce = /nonce=([\w-]+)/.exec(await manager())?.[1] ?? "";
  const worker = encodeURIComponent(`http://127.0.0.1:${member(name).listens}`);
  const body = `w=${worker}&b=main.mod-ts&nonce=${nonce}&w_status_N=${isOn ? 1 : 0}`;
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    referer: `${apache.url}/balancer-manager`,
  };
  await apache.request("/balancer-manager", { method: "POST", headers, body });
  const { status } = await statusOf(name);
  if (status.includes("Drn") !== isOn) throw new Error(`the balancer says ${status} of ${name}`);
}

/** What the balancer knows of a member. */
async function statusOf(name: Name): Promise<{ status: string; busy: number }> {
  const link = `>http://127.0.0.1:${member(name).listens}</a>`;
  const [row = ""] = (await manager()).split("<tr>").filter((text) => text.includes(link));
  const cells = [...row.matchAll(/<td>(.*?)<\/td>/g)].map(([, text = ""]) => text);
  return { status: cells[5] ?? "", busy: Number(cells[7]) };
}

/** Number of the last request of all loads. */
let last = 0;

/** Requests with a number each that come in without a pause, and what became of them. */
class Load {
  readonly served = new Map<number, string>();
  readonly failed = new Map<number, number>();
  #isOver = false;
  readonly #clients: Promise<void>[];

  constructor(t: Test, clients: number) {
    t.teardown(() => this.stop());
    this.#clients = Array.from({ length: clients }, () => this.#run());
  }

  /** Waits until so many more have been served. */
  async more(count: number): Promise<void> {
    const goal = this.served.size + count;
    await until(() => (this.served.size >= goal ? "enough" : ""), "enough");
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      last += 1;
      const id = last;
      const reply = await apache
        .request(`/work?${id}`, { method: "POST", body: "x" })
        .catch(() => ({ status: 0, body: "" }));
      if (reply.status !== 200) this.failed.set(id, reply.status);
      else this.served.set(id, (JSON.parse(reply.body) as { place: string }).place);
    }
  }
}

/** Numbers of the requests whose handler began in a member. */
function begunIn(name: Name): number[] {
  const file = join(member(name).folder, "begun.txt");
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number) : [];
}

/** Asks, and says which member served it. */
const ask = async (path: string, cookie = "") => {
  const { status, headers, body } = await apache.request(path, { headers: { cookie } });
  const { place = "", ...rest } = (status === 200 ? JSON.parse(body) : {}) as { place?: string };
  const [set = ""] = headers["set-cookie"]?.map((line) => line.split(";")[0] ?? "") ?? [];
  return { status, by: nameOf(place), set, ...rest };
};

t.test("content comes from all of them, everything else from the local one", async (t) => {
  const local = basename(apache.folder);
  const served = new Set<string | undefined>();
  // A member whose health check came late on a busy machine is back after the next ones.
  while (served.size < names.length) {
    const reply = await ask("/members/?0");
    const { by } = reply;
    t.strictSame(
      reply,
      { status: 200, by, set: "", user: local },
      "the local sidecar named the user",
    );
    served.add(by);
  }
  const fixed = await apache.request("/fixed/a.txt");
  t.match(fixed, { status: 200, body: "a", headers: { "x-fixed-by": local } }, "its decider");
});

t.test("a session goes on in any of them", { skip: redis ? false : "no Redis" }, async (t) => {
  const first = await ask("/count");
  const seen = new Set([first.by]);
  for (let count = 2; count < 8; count += 1) {
    const next = await ask("/count", first.set);
    t.match(next, { status: 200, count });
    seen.add(next.by);
  }
  t.ok(seen.size > 1, [...seen].join());
});

/** A browser that keeps cookies, at the form of `mod_ts/login`. */
class Visitor {
  readonly cookies = new Map<string, string>();
  readonly servedBy = new Set<unknown>();

  async send(path: string, fields?: Record<string, string>): Promise<Reply> {
    const cookie = [...this.cookies].map((pair) => pair.join("=")).join("; ");
    const headers = { accept: "text/html", cookie };
    const type = "application/x-www-form-urlencoded";
    const reply = await apache.request(path, {
      ...(fields && { method: "POST", body: new URLSearchParams(fields).toString() }),
      headers: { ...headers, ...(fields && { "content-type": type }) },
    });
    for (const line of reply.headers["set-cookie"] ?? []) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.cookies.set(name, value);
    }
    if (path === "/login") this.servedBy.add(reply.headers["served-by"]);
    return reply;
  }

  async submit(action: string, fields: Record<string, string> = {}): Promise<Reply> {
    const { body } = await this.send("/login");
    const token = /name="token" value="([^"]+)"/.exec(body)?.[1] ?? "";
    return this.send("/login", { token, action, ...fields });
  }
}

t.test("a login at any of them", { skip: redis ? false : "no Redis" }, async (t) => {
  const visitor = new Visitor();
  const logIn = (user: string, password: string): Promise<Reply> =>
    visitor.submit("login", { user, password });
  t.equal((await visitor.send("/inside/?0")).status, 302);
  t.equal((await logIn("ann", "secret")).status, 303);
  for (let count = 0; count < 4; count += 1) {
    t.match(await visitor.send("/inside/?0"), { status: 200, body: '"user":"ann"' });
  }
  const copy = new Visitor();
  for (const [name, value] of visitor.cookies) copy.cookies.set(name, value);
  t.equal((await visitor.submit("logout")).status, 303);
  t.equal((await copy.send("/inside/?0")).status, 302, "the guard knows of the logout elsewhere");
  t.ok(visitor.servedBy.size > 1, `forms and logins: ${[...visitor.servedBy].join()}`);

  const guesser = new Visitor();
  const refused: number[] = [];
  for (let count = 0; count < 5; count += 1) {
    const fields = { user: "bob", password: `guess ${count}` };
    refused.push((await guesser.submit("login", fields)).status);
  }
  t.same(refused, [403, 403, 403, 429, 429], "guesses count together");
  t.ok(guesser.servedBy.size > 1, `guesses: ${[...guesser.servedBy].join()}`);
});

t.test("only a section that asks for it is sticky", async (t) => {
  t.equal((await ask("/work?0")).set, "", "no cookie elsewhere");
  const first = await ask("/chat?0");
  t.equal(first.set, `mod_ts_route=.${first.by}`);
  for (let count = 0; count < 6; count += 1) {
    const next = await ask("/chat?0", first.set);
    t.same(next, { ...next, status: 200, by: first.by, set: "" });
  }
});

t.test("status and metrics of one instance", async (t) => {
  const { status, body } = await apache.request("/metrics/one");
  t.equal(status, 200);
  t.match(body, /^mod_ts_ready 1$/m);
  const started = /^mod_ts_start_time_seconds (.*)$/m.exec(body)?.[1];
  const again = await apache.request("/metrics/one");
  t.match(again.body, `mod_ts_start_time_seconds ${started}`);
  const { body: ofThree } = await apache.request("/metrics/three");
  t.match(ofThree, /^mod_ts_ready 1$/m);
  t.notMatch(ofThree, `mod_ts_start_time_seconds ${started}`, "another instance");
});

t.test("httpd names mistakes when it reads its configuration", (t) => {
  const address = `http://127.0.0.1:${member("one").listens}`;
  const only = '<Location "/x">\n  Use TsOnlyMember main four\n</Location>';
  const mistakes: [string, RegExp][] = [
    [`Include "${confFile}"\nUse TsMember main ${address} one`, /needs.* Define MOD_TS_BALANCER/],
    [`${define}Include "${confFile}"\n${only}`, /there is no such member/],
  ];
  for (const [conf, message] of mistakes) t.match(apache.server.reload(conf), message, conf);
  t.end();
});

t.test("one is drained and stopped under load: nothing fails", async (t) => {
  const load = new Load(t, 6);
  await load.more(30);
  await drain("one", true);
  const isIdle = async (): Promise<string> => `busy: ${(await statusOf("one")).busy}`;
  await until(isIdle, /^busy: 0$/);
  const begun = begunIn("one").length;
  await load.more(60);
  t.equal(begunIn("one").length, begun, "no new request for it");
  await drain("one", false);
  await until(() => (begunIn("one").length > begun ? "again" : ""), "again");
  await drain("one", true);
  await until(isIdle, /^busy: 0$/);
  const ended = once(member("one").sidecar, "exit");
  member("one").sidecar.kill("SIGTERM");
  t.same(await ended, [0, null]);
  await load.more(30);
  await load.stop();
  t.same([...load.failed], [], `${load.served.size} served`);
  t.comment(`drained: ${load.served.size} served, ${load.failed.size} failed`);
});

t.test("one is killed under load: only the requests in its hands fail", async (t) => {
  const clients = 6;
  const load = new Load(t, clients);
  await load.more(30);
  const { pid = 0 } = member("two").sidecar;
  const all = [pid, ...childrenOf(pid)];
  // As a machine that loses its power: none of them outlives another.
  for (const each of all) process.kill(each, "SIGKILL");
  await haveEnded(all);
  await load.more(90);
  await load.stop();
  t.ok(load.failed.size <= clients, `${load.failed.size} failed, each client had one`);
  const others = new Set(begunIn("three"));
  for (const [id, status] of load.failed) {
    t.ok([0, 502, 503].includes(status), `${id}: ${status}`);
    t.notOk(others.has(id), `${id} was not repeated elsewhere`);
  }
  t.comment(`killed: ${load.served.size} served, ${load.failed.size} failed`);
  t.equal(nameOf(load.served.get(Math.max(...load.served.keys())) ?? ""), "three");
});
