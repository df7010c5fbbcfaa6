/** Scripts in any language, as processes of their own, through Apache: what they get, how they end, and that none stays. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { startCgi } from "../fixtures/cgi.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const type = "echo 'Content-Type: text/plain'\necho";

const apache = await startCgi(
  t,
  {
    "env.sh": `#!/bin/sh\n${type}\nenv\n`,
    "where.sh": `#!/bin/sh\n${type}\npwd\necho "$#"\n`,
    "cat.sh": `#!/bin/sh\n${type}\ncat\n`,
    "form.pl": `#!/usr/bin/perl
      read(STDIN, my $body, $ENV{CONTENT_LENGTH});
      print "Status: 201 Made\\r\\nContent-Type: text/plain\\r\\nX-Perl: yes\\r\\n\\r\\n[$body]";
    `,
    "ignores.sh": `#!/bin/sh\n${type}\nhead -c 2000000 /dev/zero\n`,
    "grep.sh": `#!/bin/sh\n${type}\necho whole\nfalse\n`,
    "killed.sh": `#!/bin/sh\n${type}\necho part\nkill -SEGV $$\n`,
    "error.sh": `#!/bin/sh\necho oops >&2\nexit 4\n`,
    "no-interpreter.sh": "#!/no/such/interpreter\n",
    "nph-old.sh": `#!/bin/sh\n${type}\n`,
    "count.sh": `#!/bin/sh\nn=$(wc -c)\n${type}\necho "$n"\n`,
    "hang.sh": `#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $$ $! > hang.pid\nwait\nwait\n`,
    "left.sh": `#!/bin/sh\n${type}\necho $$ > left.pid\nwhile :; do echo more; sleep 0.05; done\n`,
    "quiet.sh": `#!/bin/sh\n${type}\necho begun\nsleep 1000 &\necho $$ $! > quiet.pid\nwait\n`,
    "kids.ts": `
      import { exec } from "node:child_process";
      exec("sleep 1000 & echo $$ $! > kids.pid; wait");
      console.log("Content-Type: text/plain\\n");
      setInterval(() => console.log("more"), 50);
    `,
    "spin.ts": `console.log("Content-Type: text/plain\\n\\npid=" + process.pid); setTimeout(() => { for (;;); }, 50);`,
    "background.sh": `#!/bin/sh\n${type}\nsleep 5 &\necho $! > background.pid\necho done\n`,
  },
  { conf: "SetEnv FROM_CONF yes\nUse TsPassEnv FROM_CONF\nUse TsOption mod_ts.cgi.timeout 1500" },
);

const pidsIn = (name: string): number[] =>
  readFileSync(join(apache.folder, "handlers/cgi", name), "utf8")
    .trim()
    .split(" ")
    .map(Number);

function isAlive(pid: number): boolean {
  try {
    // A zombie has ended, too; in a container nobody may be there to bury it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const gone = (pids: number[]): Promise<string> =>
  until(() => pids.map(isAlive).join(), /^(?:false,?)+$/);

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
  await until(apache.sidecarLog, /MODTS_CGI_EXIT: \S+grep\.sh answered, then ended: exit code 1/);
  const killed = await apache.request("/cgi/killed.sh").catch(() => undefined);
  t.not(killed?.status, 200, "cut off, if it has begun");
  t.equal((await apache.request("/cgi/error.sh")).status, 500);
  t.equal((await apache.request("/cgi/no-interpreter.sh")).status, 500);
  t.equal((await apache.request("/cgi/nph-old.sh")).status, 500);
  const log = await until(apache.sidecarLog, /MODTS_CGI_NPH/);
  t.match(log, /MODTS_CGI_EXIT: \S+grep\.sh/);
  t.match(log, /MODTS_CGI_DIED: \S+killed\.sh died: signal SIGSEGV/);
  t.match(log, /mod_ts:warn.* error\.sh: oops/);
  t.match(log, /MODTS_CGI_BAD_HEADER: \S+error\.sh: .*exit code 4/);
  t.match(log, /MODTS_CGI_NOT_STARTED: \S+no-interpreter\.sh .*interpreter/);
  t.match(log, /MODTS_CGI_NPH: \S+nph-old\.sh/);
});

t.test("a script may wait for its body for longer than it may be silent", async (t) => {
  const client = new RawClient(apache.port);
  client.head("POST /cgi/count.sh HTTP/1.1", "Content-Length: 120000", "Connection: close");
  for (let part = 0; part < 4; part += 1) {
    client.send(Buffer.alloc(30_000));
    await sleep(700);
  }
  t.match(await client.closed, /^HTTP\/1.1 200 OK\r\n[^]*\n120000\n/);
});

t.test("one that never ends is killed with its children, SIGTERM or not", async (t) => {
  t.equal((await apache.request("/cgi/hang.sh")).status, 504);
  const pids = pidsIn("hang.pid");
  t.equal(pids.length, 2);
  t.match(await gone(pids), /^false,false$/);
  t.match(
    await until(apache.sidecarLog, /MODTS_CGI_TIMEOUT: \S+hang\.sh/),
    /MODTS_CGI_TIMEOUT: \S+hang\.sh/,
  );
});

t.test("so is one whose client leaves", async (t) => {
  const client = new RawClient(apache.port).head("GET /cgi/left.sh HTTP/1.1");
  await client.until(/more\n/);
  client.leave();
  t.match(await gone(pidsIn("left.pid")), /^false$/);
});

t.test("a script in a thread is ended with the processes that it has started", async (t) => {
  const client = new RawClient(apache.port).head("GET /cgi/kids.ts HTTP/1.1");
  await client.until(/more\n/);
  const file = join(apache.folder, "handlers/cgi/kids.pid");
  await until(() => (existsSync(file) ? readFileSync(file, "utf8") : ""), /^\d+ \d+\n$/);
  client.leave();
  t.match(await gone(pidsIn("kids.pid")), /^false,false$/);
});

t.test("what a script leaves in the background does not hold up its answer", async (t) => {
  t.match(await apache.request("/cgi/background.sh"), { status: 200, body: "done\n" });
});

t.test(
  "a worker whose supervisor dies takes its scripts along, and ends in spite of its threads",
  async (t) => {
    const quiet = new RawClient(apache.port).head("GET /cgi/quiet.sh HTTP/1.1");
    await quiet.until(/begun/);
    const spin = new RawClient(apache.port).head("GET /cgi/spin.ts HTTP/1.1");
    const [, worker = ""] = /pid=(\d+)/.exec(await spin.until(/pid=\d+\n/)) ?? [];
    const pids = [Number(worker), ...pidsIn("quiet.pid")];
    t.same(pids.map(isAlive), [true, true, true]);
    process.kill(apache.sidecarPid, "SIGKILL");
    t.equal(await gone(pids), "false,false,false");
  },
);
