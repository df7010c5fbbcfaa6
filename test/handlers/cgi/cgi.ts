/** `mod_ts/cgi` in the engine. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createCgi } from "../../../src/handlers/cgi/cgi.ts";
import { startEngine } from "../../fixtures/gateway.ts";
import { scriptFolder } from "../../fixtures/script.ts";

const folder = scriptFolder(t);
mkdirSync(join(folder, "cgi"));
const script = `console.log("Content-Type: text/plain\\n\\n" + process.env.QUERY_STRING);`;
writeFileSync(join(folder, "cgi/a.ts"), script);
writeFileSync(join(folder, "b.ts"), script);
writeFileSync(join(folder, "cgi/hang.ts"), "setInterval(() => {}, 1000);");
writeFileSync(
  join(folder, "cgi/stubborn"),
  "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.05; done\n",
  { mode: 0o755 },
);
writeFileSync(
  join(folder, "cgi/mark"),
  "#!/bin/sh\necho Content-Type: text/plain\necho\ndate >> mark.txt\n",
  { mode: 0o755 },
);
const cgi = createCgi({ roots: [join(folder, "cgi")], handlerTimeout: 60_000 });
t.teardown(() => cgi.close());
// A cold start may take seconds on a busy machine: only requests that are to time out have the short limit.
const patient = await startEngine(t, { cgi: cgi.module }, { handlerTimeout: 60_000 });
const impatient = await startEngine(t, { cgi: cgi.module }, { handlerTimeout: 500 });

const ask = (name: string, ...lines: string[]) => askOf(patient, name, ...lines);

const askOf = (peer: typeof patient, name: string, ...lines: string[]) =>
  peer.ask(["handler cgi", ...lines], {
    context: { filename: join(folder, name), args: "a=1", pathInfo: "" },
  });

t.test("runs what Apache found", async (t) => {
  t.match(await ask("cgi/a.ts"), { status: 200, body: "a=1\n" });
  t.match(await ask("cgi/missing.ts"), { status: 404 });
});

t.test("but not everything", async (t) => {
  t.match(await ask("b.ts"), { status: 500 });
  t.match(patient.log(), /MODTS_OUTSIDE_ROOTS/);
  t.match(await ask("cgi/a.ts", "option mod_ts.cgi.threads 3"), { status: 500 });
  t.match(patient.log(), /MODTS_BAD_OPTION.*threads/);
});

t.test("when the engine gives up, the script is ended", async (t) => {
  const lines = ["option mod_ts.cgi.processes 1", "option mod_ts.cgi.timeout 60000"];
  t.match(await askOf(impatient, "cgi/hang.ts", ...lines), { status: 504 });
  t.match(impatient.log(), /MODTS_HANDLER_TIMEOUT/);
  t.match(await ask("cgi/a.ts", ...lines), { status: 200 }, "its place is free");
});

t.test("a script whose request was given up while it waited does not run", async (t) => {
  const lines = ["option mod_ts.cgi.processes 1", "option mod_ts.cgi.timeout 60000"];
  const answers = await Promise.all(
    ["cgi/stubborn", "cgi/mark"].map((name) => askOf(impatient, name, ...lines)),
  );
  t.same(
    answers.map(({ status }) => status),
    [504, 504],
  );
  // The first one holds its place until SIGKILL.
  t.match(await ask("cgi/mark", ...lines), { status: 200 });
  t.match(readFileSync(join(folder, "cgi/mark.txt"), "utf8"), /^.*\n$/, "once");
});
