/** A guard that cannot answer lets nobody pass: workers killed, no descriptors, no disk, no supervisor. */
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Reply, startApache } from "../fixtures/httpd.ts";
import { childrenOf, haveEnded, killSidecar } from "../fixtures/processes.ts";
import { until } from "../fixtures/until.ts";

const secret = "0123456789abcdef";
const guards: Record<string, string> = {
  access: "AuthType mod_ts\nUse TsAccessHandler refuse.ts\nRequire valid-user",
  authen: "AuthType mod_ts\nUse TsAuthenHandler refuse.ts\nRequire valid-user",
  authz:
    "AuthType mod_ts\nUse TsAuthenHandler user.ts\nUse TsAuthzHandler refuse.ts\nRequire mod_ts",
  htpasswd: `AuthType Basic\nAuthName x\nUse TsAuthenHandler mod_ts/htpasswd
    Use TsOption mod_ts.htpasswd.file users\nRequire valid-user`,
  login: `AuthType mod_ts\nUse TsAuthenHandler mod_ts/login\nUse TsOption mod_ts.login.store htpasswd
    Use TsOption mod_ts.htpasswd.file users\nUse TsOption mod_ts.login.location /log-in\nRequire valid-user`,
};
const names = Object.keys(guards);
const apache = await startApache(t, {
  authorizer: true,
  before: `Define MOD_TS_SECRET ${secret}`,
  config: { secret },
  conf: names.map((name) => `<Location "/${name}">\n${guards[name]}\n</Location>`).join("\n"),
  files: {
    users: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
    ...Object.fromEntries(names.map((name) => [`htdocs/${name}/a.txt`, "the secret\n"])),
  },
  handlers: {
    "refuse.ts": handlerFile("attacks/refuse.ts"),
    "user.ts": handlerFile("attacks/user.ts"),
  },
});

const authorization = `Basic ${Buffer.from("ann:pass").toString("base64")}`;
const pass = { "x-pass": "yes", authorization };
const ask = (name: string, headers = {}): Promise<Reply> =>
  apache.request(`/${name}/a.txt`, { headers });
const guarded = names.filter((name) => name !== "login");

/** Nobody without permission gets in; whoever has it gets in, or an error. */
async function isClosed(t: Test, what: string, isOpen = false): Promise<void> {
  for (const name of names) {
    const refused = await ask(name);
    t.ok(refused.status >= 302, `${what}: ${name} ${refused.status}`);
    t.notMatch(refused.body, "the secret", `${what}: ${name}`);
  }
  for (const name of guarded) {
    const { status, body } = await ask(name, pass);
    if (isOpen) t.equal(status, 200, `${what}: ${name}`);
    else t.ok(status >= 500, `${what}: ${name} ${status}`);
    t.equal(body.includes("the secret"), status === 200, `${what}: ${name}`);
  }
}
const supervisor = apache.sidecar.pid ?? 0;
const workers = (): number[] => childrenOf(supervisor);

t.test("while all is well", (t) => isClosed(t, "well", true));

t.test("users, groups and keys that are gone, empty, directories or of others", async (t) => {
  const users = join(apache.folder, "users");
  const aside = `${users}.aside`;
  renameSync(users, aside);
  const statusOf = async (): Promise<number> => (await ask("htpasswd", pass)).status;
  t.equal(await statusOf(), 500, "gone");
  mkdirSync(users);
  t.equal(await statusOf(), 500, "a directory");
  rmSync(users, { recursive: true });
  apache.write("users", "");
  t.equal(await statusOf(), 401, "empty");
  apache.write("users", "\u0000".repeat(4096));
  t.equal(await statusOf(), 401, "zero bytes, as a crash leaves them");
  apache.write("users", "ann:{SHA}nU4eI71bcnBG");
  t.equal(await statusOf(), 401, "cut");
  renameSync(aside, users);
  t.equal(await statusOf(), 200, "and back");
});

t.test("workers that are killed, again and again", async (t) => {
  for (let round = 0; round < 5; round += 1) {
    const killed = workers();
    const asked = names.flatMap((name) => [ask(name), ask(name), ask(name)]);
    for (const pid of killed) process.kill(pid, "SIGKILL");
    for (const reply of await Promise.all(asked)) {
      t.ok(reply.status >= 302, `${reply.status}`);
      t.notMatch(reply.body, "the secret");
    }
    await haveEnded(killed);
  }
});

t.test("no descriptors left in the workers", async (t) => {
  await until(() => `${workers().length} workers`, /^[2-9]/);
  for (const pid of workers()) execFileSync("prlimit", ["--pid", `${pid}`, "--nofile=12:4096"]);
  for (const name of names) {
    const reply = await ask(name);
    t.ok(reply.status >= 302, `${name}: ${reply.status}`);
    t.notMatch(reply.body, "the secret", name);
  }
  for (const pid of workers()) execFileSync("prlimit", ["--pid", `${pid}`, "--nofile=4096:4096"]);
});

t.test("a supervisor that is stopped, then killed", async (t) => {
  process.kill(supervisor, "SIGSTOP");
  for (const name of names) {
    const reply = await ask(name);
    t.ok(reply.status >= 302, `${name}: ${reply.status}`);
    t.notMatch(reply.body, "the secret", name);
  }
  process.kill(supervisor, "SIGCONT");
  await killSidecar(apache.sidecar);
  await isClosed(t, "killed");
});
