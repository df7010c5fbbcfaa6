/** Four workers behind a real Apache: a broken save shows one past, whichever worker is asked. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { askStatus } from "../../src/supervisor/control.ts";
import { startApache } from "../fixtures/httpd.ts";
import { modTs } from "../fixtures/mod-ts.ts";
import { until } from "../fixtures/until.ts";

const workers = 4;
const good = (text: string): string => `
  import { place } from "./helper.ts";
  export const handler = (req) => { req.write(place + " ${text} " + process.pid); };`;
const helper = (text: string): string => `export const place = "${text}";`;
const script = (text: string): string =>
  `const answer: string = "${text}"; console.log(\`Content-Type: text/plain\\n\\n\${answer}\`);`;
const broken = "export const handler = (req) => { req.write( };";

const apache = await startApache(t, {
  // Each request is a connection of its own, for whichever worker is free.
  conf: `
    <Proxy "\${MOD_TS_POOL_main}">
      ProxySet disablereuse=on
    </Proxy>
    DocumentRoot "\${FOLDER}/htdocs"
    <Directory "\${FOLDER}/htdocs">
      Require all granted
    </Directory>
    <Location "/app">
      Use TsHandler app.ts
    </Location>
    <Location "/helped">
      Use TsHandler helped.ts
    </Location>
    <Directory "\${FOLDER}/handlers/cgi">
      Require all granted
      Use TsHandler mod_ts/cgi
    </Directory>
    Alias "/cgi/" "\${FOLDER}/handlers/cgi/"
    <Location "/importer">
      Use TsHandler importer.ts
    </Location>
    <Location "/guarded/">
      AuthType mod_ts
      Use TsAccessHandler guard.ts
      Require valid-user
    </Location>`,
  files: { "htdocs/guarded/a.txt": "SECRET" },
  handlers: {
    "app.ts": good("v1"),
    "helper.ts": helper("here"),
    "helped.ts": `
      import { last } from "./last.ts";
      export const handler = (req) => { req.write(last + " " + process.pid); };`,
    "last.ts": `export const last = "helped";`,
    "cgi/script.ts": script("v1"),
    "importer.ts": `export { handler } from "./app.ts";`,
    "guard.ts": "export const accessHandler = () => 0;",
  },
  config: { pools: { main: { workers } }, keepAlive: 300 },
  authorizer: true,
  guards: 2,
});

/** Many answers, on many connections at a time, so that each worker is asked; and who gave them. */
async function ask(path: string, times = 40): Promise<{ answers: string[]; pids: Set<number> }> {
  const pids = new Set<number>();
  const answers = new Set<string>();
  for (let left = times; left > 0; left -= 8) {
    const replies = await Promise.all(Array.from({ length: 8 }, () => apache.request(path)));
    for (const { status, body } of replies) {
      const [, text = "", pid] = /^(.*?) ?(\d+)?$/s.exec(body) ?? [];
      answers.add(status === 200 ? text : String(status));
      if (pid) pids.add(Number(pid));
    }
  }
  return { answers: [...answers], pids };
}

const answersTo = async (path: string): Promise<string[]> => (await ask(path)).answers;

/** Fewer: each is a process. */
const scriptAnswers = async (): Promise<string[]> => (await ask("/cgi/script.ts", 16)).answers;

/** Process ids of workers that serve. */
async function serving(pool = "main"): Promise<number[]> {
  const status = await askStatus(join(apache.folder, "run"));
  const { workers: all = [] } = status.pools.find(({ name }) => name === pool) ?? {};
  return all.filter(({ state }) => state === "ready").map(({ pid }) => pid);
}

/** Asks until every worker has answered. */
async function askAll(path: string): Promise<string[]> {
  const seen = new Set<number>();
  const answers = new Set<string>();
  while (seen.size < workers) {
    const asked = await ask(path, 8);
    for (const pid of asked.pids) seen.add(pid);
    for (const answer of asked.answers) answers.add(answer);
  }
  return [...answers];
}

/** Kills a worker, and waits for the one that takes its place. */
async function replaceWorker(t: Test): Promise<void> {
  const before = await serving();
  process.kill(before[0] as number, "SIGKILL");
  await until(async () => {
    const now = await serving();
    return now.length === workers && !now.includes(before[0] as number) ? "replaced" : "";
  }, "replaced");
  t.pass("a worker was killed and replaced");
}

await until(async () => String((await serving()).length), String(workers));

t.test("a broken save: the version that one worker had, in all of them", async (t) => {
  t.same(await askAll("/app"), ["here v1"]);
  apache.write("handlers/app.ts", good("v2"));
  t.equal(await one(), "here v2", "one request, so one worker has it");
  apache.write("handlers/app.ts", broken);
  t.same(await answersTo("/app"), ["here v2"], "40 requests");
  t.same(await askAll("/app"), ["here v2"]);

  await replaceWorker(t);
  t.same(await askAll("/app"), ["here v2"]);
});

t.test("a helper that was deleted: who imports it goes on", async (t) => {
  t.same(await askAll("/helped"), ["helped"]);
  rmSync(join(apache.folder, "handlers/last.ts"));
  t.same(await answersTo("/helped"), ["helped"]);
});

t.test("a guard that was made stricter is never the old one again", async (t) => {
  t.same(await answersTo("/guarded/a.txt"), ["SECRET"]);
  apache.write("handlers/guard.ts", "export const accessHandler = () => 403;");
  t.equal((await apache.request("/guarded/a.txt")).status, 403, "one worker has it");
  apache.write("handlers/guard.ts", "export const accessHandler = () => ;");
  t.same(await answersTo("/guarded/a.txt"), ["403"]);
});

t.test("a CGI script: the version that one worker had, in all of them", async (t) => {
  t.same(await scriptAnswers(), ["v1\n"]);
  apache.write("handlers/cgi/script.ts", script("v2"));
  t.equal((await apache.request("/cgi/script.ts")).body, "v2\n");
  apache.write("handlers/cgi/script.ts", "const answer: = 3;");
  t.same(await scriptAnswers(), ["v2\n"]);
});

t.test("a reload: a new generation begins with these versions, and names them", async (t) => {
  const { code, stdout, stderr } = await modTs("reload", apache.folder);
  t.equal(code, 1, "the new generation serves, but something is broken");
  t.match(stdout, /generation 2/);
  t.match(stderr, /MODTS_BUILD_FAILED.*app\.ts:1:\d+.*last good version/);
  t.match(stderr, /MODTS_BUILD_FAILED.*helped\.ts:2:\d+/, "the import is named");
  t.match(stderr, /MODTS_BUILD_FAILED.*guard\.ts:1:\d+/, "of the pool of the guards");
  t.same(await askAll("/app"), ["here v2"]);
  t.match(stderr, /MODTS_BUILD_FAILED.*script\.ts:1:\d+/, "of a CGI script");
  t.same(await answersTo("/helped"), ["helped"]);
  t.same(await scriptAnswers(), ["v2\n"]);
  t.same(await answersTo("/guarded/a.txt"), ["403"]);
  apache.write("handlers/app.ts", good("v3"));
  t.same(await answersTo("/app"), ["here v3"]);
});

t.test("200 saves, each followed by a request to some worker: none is stale", async (t) => {
  const stale: string[] = [];
  let [place, app, isBroken] = ["here", "v3", false];
  for (let n = 1; n <= 200; n += 1) {
    const isHelper = n % 5 === 0 && !isBroken;
    isBroken = n % 4 === 0 && !isHelper;
    if (isHelper) place = `h${n}`;
    else if (!isBroken) app = `n${n}`;
    if (isHelper) apache.write("handlers/helper.ts", helper(place));
    else apache.write("handlers/app.ts", isBroken ? broken : good(app));
    const text = await one();
    if (text !== `${place} ${app}`) stale.push(`${n}: ${text}, not ${place} ${app}`);
  }
  t.same(stale, []);
});

t.test("a deleted handler is gone at once, in all workers", async (t) => {
  apache.write("handlers/app.ts", good("v4"));
  apache.write("handlers/helper.ts", helper("here"));
  t.same([await askAll("/app"), await askAll("/importer")], [["here v4"], ["here v4"]]);
  rmSync(join(apache.folder, "handlers/app.ts"));
  // Some editors delete and create.
  await until(async () => (await answersTo("/app")).join(), /^404$/);
  t.same(await answersTo("/importer"), ["here v4"], "who imports it has its own version");
  t.same(await answersTo("/app"), ["404"]);
  t.match(await until(apache.sidecarLog, "MODTS_HANDLER_DELETED"), "MODTS_HANDLER_DELETED");
  await replaceWorker(t);
  t.same(await answersTo("/app"), ["404"]);
  apache.write("handlers/app.ts", broken);
  t.same(await answersTo("/app"), ["500"], "it does not come back");
  apache.write("handlers/app.ts", good("v5"));
  t.same(await answersTo("/app"), ["here v5"]);
});

/** The answer of one worker. */
async function one(): Promise<string> {
  return (await apache.request("/app")).body.replace(/ \d+$/, "");
}
