/** The scripts of a section: their places, their end with the request. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { readSettings, ScriptHost } from "../../../src/handlers/cgi/script-host.ts";
import { serve } from "../../fixtures/exchange-server.ts";
import { scriptFolder } from "../../fixtures/script.ts";
import { until } from "../../fixtures/until.ts";

async function start(t: Test, code: string, options: Record<string, string>) {
  const folder = scriptFolder(t);
  const file = join(folder, "run");
  writeFileSync(file, `#!/bin/sh\necho 'Content-Type: text/plain'\necho\n${code}`, { mode: 0o755 });
  const host = new ScriptHost(readSettings(options, 60_000));
  t.teardown(() => host.close());
  const filename = join(folder, "x");
  const server = await serve(t, (req) => host.serve(req, { file, kind: "program" }), {
    filename,
    pathInfo: "",
  });
  return { ...server, folder, host };
}

t.test("one place, one who waits, the third is refused", async (t) => {
  const options = { "mod_ts.cgi.processes": "1", "mod_ts.cgi.queue": "1" };
  const { ask, folder } = await start(
    t,
    "until test -e go; do sleep 0.01; done; echo done",
    options,
  );
  const answers = [ask(), ask(), ask()];
  const first = await Promise.race(answers);
  t.match(first, { body: "MODTS_CGI_BUSY" });
  writeFileSync(join(folder, "go"), "");
  const bodies = (await Promise.all(answers)).map(({ body }) => body).toSorted();
  t.same(bodies, ["MODTS_CGI_BUSY", "done\n", "done\n"]);
});

t.test("the place of a client that leaves is free again", async (t) => {
  const { ask, connect } = await start(
    t,
    'if test "$HTTP_X" = hang; then echo hangs; sleep 100; fi; echo done',
    { "mod_ts.cgi.processes": "1" },
  );
  const socket = connect();
  let seen = "";
  socket.on("data", (data: Buffer) => (seen += String(data)));
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nX: hang\r\n\r\n");
  t.match(await until(() => seen, "hangs"), /hangs/);
  const waiting = ask();
  socket.destroy();
  t.match(await waiting, { status: 200, body: "done\n" });
});

t.test("input goes to the script", async (t) => {
  const { ask } = await start(t, "head -c 3", {});
  t.match(await ask("POST /", "abcdef"), { status: 200, body: "abc" });
});

t.test("at its end all scripts end", async (t) => {
  const { connect, host } = await start(t, "echo begun; sleep 100", {});
  const socket = connect();
  let seen = "";
  socket.on("data", (data: Buffer) => (seen += String(data)));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  t.match(await until(() => seen, "begun"), /begun/);
  await host.close();
  await closed;
  t.notMatch(seen, /\r\n0\r\n\r\n$/, "cut off");
});

t.test("defaults", async (t) => {
  t.match(readSettings({}, 60_000), { queue: 100, timeout: 54_000, memory: 256 });
  t.ok(readSettings({}, 60_000).processes >= 16);
  t.ok(readSettings({}, 60_000).warm >= 4);
});

t.test("what is said, and what cannot be", async (t) => {
  const settings = readSettings(
    { "mod_ts.cgi.processes": "3", "mod_ts.cgi.queue": "0", "mod_ts.cgi.timeout": "70000" },
    60_000,
  );
  t.match(settings, { processes: 3, queue: 0, timeout: 70_000 });
  for (const [name, value] of [
    ["processes", "0"],
    ["memory", "1"],
    ["timeout", "1s"],
    ["threads", "3"],
  ]) {
    t.throws(() => readSettings({ [`mod_ts.cgi.${name}`]: value ?? "" }, 60_000), {
      code: "MODTS_BAD_OPTION",
    });
  }
});
