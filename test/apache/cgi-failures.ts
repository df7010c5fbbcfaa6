/** Scripts that go wrong: each way has its status, its code, its line in the log, and the server goes on. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startCgi } from "../fixtures/cgi.ts";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { logSince } from "../fixtures/log-since.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const apache = await startCgi(
  t,
  {
    ...handlerFiles("cgi-failures"),
    "syntax.ts": `const x: string = ;`,
    "data.txt": "not executable",
  },
  {
    conf: `
      Use TsOption mod_ts.cgi.memory 64
      <FilesMatch ^(hang|spin|half-hang)>
        Use TsOption mod_ts.cgi.timeout 1500
      </FilesMatch>
    `,
  },
);
chmodSync(join(apache.folder, "handlers/cgi/data.txt"), 0o644);

/** Asks, and gives the answer with what the log said meanwhile. */
async function ask(path: string, log: RegExp) {
  const logged = logSince(apache.sidecarLog);
  const reply = await apache.request(path).catch((error: Error) => ({
    status: 0,
    body: error.message,
  }));
  return { ...reply, log: await logged(log) };
}

/** Nothing, an answer without its end, or Apache's own page for one that has not begun: never a whole answer. */
function isCut(status: number): boolean {
  return status === 0 || status >= 500;
}

const failing: Record<string, [status: number, log: RegExp]> = {
  "silent.ts": [500, /MODTS_CGI_BAD_HEADER: .*silent\.ts: .*exit code 0/],
  "exit.ts": [500, /MODTS_CGI_BAD_HEADER: .*exit code 3/],
  "half.ts": [500, /MODTS_CGI_BAD_HEADER: .*no complete header/],
  "garbage.ts": [500, /MODTS_CGI_BAD_HEADER: .*line 1, "this is no header"/],
  "untyped.ts": [500, /MODTS_CGI_BAD_HEADER: .*neither Content-Type nor/],
  "status.ts": [500, /MODTS_CGI_BAD_HEADER: .*"99"/],
  "bad-name.ts": [500, /MODTS_CGI_BAD_HEADER: .*line 2/],
  "long.ts": [500, /MODTS_CGI_BAD_HEADER: .*within 65536 bytes/],
  "lines.ts": [500, /MODTS_CGI_BAD_HEADER: .*more than 100 lines/],
  "nph-ts.ts": [500, /MODTS_CGI_NPH: .*begins with nph-/],
  "http.ts": [500, /MODTS_CGI_NPH: .*status line/],
  "syntax.ts": [500, /MODTS_CGI_DIED: [^]*SyntaxError[^]*syntax\.ts:1:/],
  "throw.ts": [500, /MODTS_CGI_DIED: [^]*Error: deep down[^]*throw\.ts:5:/],
  "reject.mts": [500, /MODTS_CGI_DIED: [^]*Error: rejected/],
  "hang.ts": [504, /MODTS_CGI_TIMEOUT: \S+hang\.ts .*1500 ms/],
  "spin.ts": [504, /MODTS_CGI_TIMEOUT: /],
  "memory.ts": [500, /MODTS_CGI_MEMORY: \S+memory\.ts .*64 MB/],
  "heap.ts": [500, /MODTS_CGI_MEMORY: /],
  "data.txt": [403, /MODTS_CGI_NOT_EXECUTABLE: \S+data\.txt/],
  "missing.ts": [404, /^$/],
  "": [404, /^$/],
};

for (const [name, [status, log]] of Object.entries(failing)) {
  t.test(`${name || "a folder"}: ${status}`, async (t) => {
    const reply = await ask(`/cgi/${name}`, log);
    t.equal(reply.status, status, `status of ${name}`);
    t.match(reply.log, log);
    t.notMatch(reply.body, /MODTS|handlers/, "the client does not learn why");
  });
}

t.test("what fails after the beginning is cut off", async (t) => {
  for (const [name, code] of [
    ["half-hang.ts", /MODTS_CGI_TIMEOUT/],
    ["later.ts", /MODTS_CGI_DIED[^]*Error: later/],
  ] as const) {
    const reply = await ask(`/cgi/${name}`, code);
    t.match(reply.log, code, name);
    t.ok(isCut(reply.status), name);
  }
});

t.test("more than was announced is dropped, less is not a whole answer", async (t) => {
  const long = await ask("/cgi/length.ts", /5 bytes/);
  t.match(long, { status: 200, body: "fou", log: /warn.*5 bytes.* 3/ });
  const short = await ask("/cgi/short.ts", /MODTS_LENGTH/);
  t.match(short.log, /MODTS_LENGTH_MISMATCH: .* 10/);
  t.ok(isCut(short.status));
});

t.test("an exit code after a whole answer is worth a line and no more", async (t) => {
  const reply = await ask("/cgi/exit-late.ts", /MODTS_CGI_EXIT/);
  t.match(reply, {
    status: 200,
    body: "whole\n",
    log: /warn.*MODTS_CGI_EXIT: \S+exit-late\.ts .*exit code 7/,
  });
});

t.test("standard error is logged line by line, within bounds", async (t) => {
  const { status, log } = await ask("/cgi/errors.ts", /errors\.ts: further/);
  t.equal(status, 200);
  t.match(log, /\[mod_ts:warn\] \[pid \d+\] \[client 127\.0\.0\.1:\d+\] errors\.ts: noise 0 /);
  t.equal(log.match(/noise/g)?.length, 200);
});

t.test("outside of the folders for handlers nothing runs", async (t) => {
  const outside = join(apache.folder, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "evil.sh"), "#!/bin/sh\necho Content-Type: text/plain\necho\n", {
    mode: 0o755,
  });
  symlinkSync(join(outside, "evil.sh"), join(apache.folder, "handlers/cgi/link.sh"));
  t.match(await ask("/cgi/link.sh", /OUTSIDE/), { status: 500, log: /MODTS_OUTSIDE_ROOTS/ });
});

t.test("a client that leaves ends a script that writes for ever, in bounded memory", async (t) => {
  const before = apache.sidecarLog().length;
  const client = new RawClient(apache.port).head("GET /cgi/forever.ts HTTP/1.1");
  await client.until(/xxxx/);
  client.leave();
  for (let run = 0; run < 3; run += 1) {
    t.match(await apache.request("/cgi/good.ts"), { status: 200, body: "good\n" });
  }
  t.notMatch(apache.sidecarLog().slice(before), /error|crit/);
});

t.test("none of this has cost the worker", async (t) => {
  t.notMatch(apache.sidecarLog(), /MODTS_WORKER_DIED|MODTS_UN/);
});
