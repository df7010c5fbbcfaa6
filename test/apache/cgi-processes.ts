/** Scripts in any language, as processes of their own, through Apache: what they get, how they end, and that none stays. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { startCgi } from "../fixtures/cgi.ts";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { haveEnded, isAlive } from "../fixtures/processes.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const apache = await startCgi(t, handlerFiles("cgi-processes"), {
  conf: "SetEnv FROM_CONF yes\nUse TsPassEnv FROM_CONF\n<FilesMatch ^(hang|count)>\nUse TsOption mod_ts.cgi.timeout 4000\n</FilesMatch>",
});

const pidsIn = (name: string): number[] =>
  readFileSync(join(apache.folder, "handlers/cgi", name), "utf8")
    .trim()
    .split(" ")
    .map(Number);

t.test("exactly the variables of CGI, PATH, and what the configuration passes", async (t) => {
  const { body } = await apache.request("/cgi/env.sh/info?x=1", { headers: { "X-A": "b" } });
  const names = body
    .split("\n")
    .map((line) => line.split("=")[0])
    .filter(Boolean);
  const own =
    /^(?:HTTP|SERVER|REQUEST|REMOTE|CONTEXT|SCRIPT|PATH)_\w+$|^(?:PATH|QUERY_STRING|DOCUMENT_ROOT|GATEWAY_INTERFACE|UNIQUE_ID|FROM_CONF)$/;
  // What a shell sets by itself, and the test runner for all child processes.
  const runner = /^(?:PWD|OLDPWD|SHLVL|_|NODE_OPTIONS|_TAPJS_\w+|\/.*)$/;
  const strange = names.filter((name = "") => !own.test(name) && !runner.test(name));
  t.strictSame(strange, []);
  t.match(body, /^FROM_CONF=yes$/m);
  t.match(body, /^QUERY_STRING=x=1$/m);
  t.match(body, /^HTTP_X_A=b$/m);
});

t.test("the folder of the script, and no arguments, whatever the query says", async (t) => {
  const { body } = await apache.request("/cgi/where.sh?-s");
  t.equal(body, `${apache.folder}/handlers/cgi\n0\n`);
});

t.test(
  "a form in Perl",
  { skip: existsSync("/usr/bin/perl") ? false : "there is no perl" },
  async (t) => {
    const reply = await apache.request("/cgi/form.pl", { method: "POST", body: "a=1" });
    t.match(reply, { status: 201, body: "[a=1]", headers: { "x-perl": "yes" } });
  },
);

t.test("a large body both ways, also by a script that does not read it", async (t) => {
  const body = Buffer.alloc(5_000_000, "x");
  const echoed = await fetch(`${apache.url}/cgi/cat.sh`, { method: "POST", body });
  t.ok(Buffer.from(await echoed.arrayBuffer()).equals(body));
  const ignored = await fetch(`${apache.url}/cgi/ignores.sh`, { method: "POST", body });
  t.equal((await ignored.arrayBuffer()).byteLength, 2_000_000);
});

t.test("how a process ends", async (t) => {
  t.match(await apache.request("/cgi/grep.sh"), { status: 200, body: "whole\n" });
  await until(apache.sidecarLog, /MODTS_CGI_EXIT: \S+grep\.sh .*exit code 1/);
  const killed = await apache.request("/cgi/killed.sh").catch(() => undefined);
  t.not(killed?.status, 200, "cut off, if it has begun");
  t.equal((await apache.request("/cgi/error.sh")).status, 500);
  t.equal((await apache.request("/cgi/no-interpreter.sh")).status, 500);
  t.equal((await apache.request("/cgi/nph-old.sh")).status, 500);
  const log = await until(apache.sidecarLog, /MODTS_CGI_NPH/);
  t.match(log, /MODTS_CGI_EXIT: \S+grep\.sh/);
  t.match(log, /MODTS_CGI_DIED: \S+killed\.sh .*signal SIGSEGV/);
  t.match(log, /mod_ts:warn.* error\.sh: oops/);
  t.match(log, /MODTS_CGI_BAD_HEADER: .*error\.sh: .*exit code 4/);
  t.match(log, /MODTS_CGI_NOT_STARTED: \S+no-interpreter\.sh /);
  t.match(log, /MODTS_CGI_NPH: \S+nph-old\.sh/);
});

t.test("an executable text file is not run as a shell script", async (t) => {
  t.equal((await apache.request("/cgi/noise.txt")).status, 500);
  await until(apache.sidecarLog, /MODTS_CGI_NOT_STARTED: \S+noise\.txt/);
  t.notOk(existsSync(join(apache.folder, "handlers/cgi/noise.ran")));
});

t.test("a script may wait for its body for longer than it may be silent", async (t) => {
  const client = new RawClient(apache.port);
  client.head("POST /cgi/count.sh HTTP/1.1", "Content-Length: 150000", "Connection: close");
  for (let part = 0; part < 5; part += 1) {
    client.send(Buffer.alloc(30_000));
    await sleep(1200);
  }
  t.match(await client.closed, /^HTTP\/1.1 200 OK\r\n[^]*\n150000\n/);
});

t.test("one that never ends is killed with its children, SIGTERM or not", async (t) => {
  t.equal((await apache.request("/cgi/hang.sh")).status, 504);
  const pids = pidsIn("hang.pid");
  t.equal(pids.length, 2, "the script and its child");
  await t.resolves(haveEnded(pids), "neither of them is left");
  t.match(
    await until(apache.sidecarLog, /MODTS_CGI_TIMEOUT: \S+hang\.sh/),
    /MODTS_CGI_TIMEOUT: \S+hang\.sh/,
  );
});

t.test("so is one whose client leaves", async (t) => {
  const client = new RawClient(apache.port).head("GET /cgi/left.sh HTTP/1.1");
  await client.until(/more\n/);
  client.leave();
  await t.resolves(haveEnded(pidsIn("left.pid")), "the script has ended");
});

t.test("a script in TypeScript is ended with the processes that it has started", async (t) => {
  const client = new RawClient(apache.port).head("GET /cgi/kids.ts HTTP/1.1");
  await client.until(/more\n/);
  const file = join(apache.folder, "handlers/cgi/kids.pid");
  await until(() => (existsSync(file) ? readFileSync(file, "utf8") : ""), /^\d+ \d+\n$/);
  client.leave();
  await t.resolves(haveEnded(pidsIn("kids.pid")), "its shell and the child of that have ended");
});

t.test("what a script leaves in the background does not hold up its answer", async (t) => {
  t.match(await apache.request("/cgi/background.sh"), { status: 200, body: "done\n" });
});

t.test("the scripts of a worker whose supervisor dies end with it", async (t) => {
  const quiet = new RawClient(apache.port).head("GET /cgi/quiet.sh HTTP/1.1");
  await quiet.until(/begun/);
  const spin = new RawClient(apache.port).head("GET /cgi/spin.ts HTTP/1.1");
  const [, ids = ""] = /pid=([\d,]+)/.exec(await spin.until(/pid=\d+,\d+\n/)) ?? [];
  const pids = [...ids.split(",").map(Number), ...pidsIn("quiet.pid")];
  t.same(pids.map(isAlive), [true, true, true, true], "two scripts, a child and the worker");
  process.kill(apache.sidecarPid, "SIGKILL");
  await t.resolves(haveEnded(pids), "none of them is left");
});
