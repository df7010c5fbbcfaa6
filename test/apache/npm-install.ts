/** In development, what npm installs, upgrades or links is there at the next request, in every worker. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const workers = 2;

const handlers = {
  "hello.ts": `
    import { greet } from "greeting";
    export async function handler(req) {
      req.contentType = "text/plain";
      const { length } = await req.read();
      req.write(greet() + " " + length + " " + process.pid);
    }
  `,
  "local.ts": `
    import { text } from "./local.cjs";
    export const handler = (req) => { req.contentType = "text/plain"; req.write(text); };
  `,
  "local.cjs": `exports.text = "local 1";`,
  "untouched.ts": `export const handler = (req) => { req.contentType = "text/plain"; req.write("untouched"); };`,
  "guard.ts": `
    import { greet } from "greeting";
    import { OK } from "mod-ts";
    export const accessHandler = (req) => { req.user = greet(); return OK; };
  `,
};

const apache = await startApache(t, {
  conf: [
    "Use TsDebug On",
    ...["hello", "local", "untouched"].map(
      (name) => `<Location /${name}>\nUse TsHandler ${name}.ts\n</Location>`,
    ),
    `<Location /guarded.txt>
      AuthType mod_ts
      Use TsAccessHandler guard.ts
      Require valid-user
      Header always set X-Greeting "expr=%{REMOTE_USER}"
    </Location>`,
  ].join("\n"),
  files: { "htdocs/guarded.txt": "guarded" },
  handlers: { ...handlers, "package.json": '{ "type": "module", "private": true }' },
  config: { development: true, pools: { main: { workers } } },
  authorizer: true,
});
const project = join(apache.folder, "handlers");

/** The files of a package that greets, as an author of packages has them. */
function writeGreeting(version: string, index: string, more: object = {}): string {
  const source = `greeting-${version}`;
  const description = { name: "greeting", version, exports: "./lib/index.js", ...more };
  apache.write(`${source}/package.json`, JSON.stringify(description));
  apache.write(`${source}/lib/index.js`, index);
  return join(apache.folder, source);
}

function npm(...argv: string[]): string {
  const settings = ["--no-audit", "--no-fund", "--offline", "--loglevel=error"];
  const { status, stdout, stderr } = spawnSync("npm", [...argv, ...settings], {
    cwd: project,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`npm ${argv.join(" ")}: ${stderr}`);
  return stdout.trim();
}

function pack(source: string): string {
  return join(project, npm("pack", source, "--silent"));
}

/** Asks until every worker has answered, and returns the different answers. */
async function greetings(): Promise<{ texts: string[]; pids: Set<string> }> {
  const texts = new Set<string>();
  const pids = new Set<string>();
  // An error does not tell its worker: they take turns.
  for (let failures = 0; pids.size < workers && failures < 2 * workers;) {
    const { status, body } = await apache.request("/hello", { method: "POST", body: "12345" });
    const [, text = "", pid = ""] = /^(.*) (\d+)$/s.exec(body) ?? [];
    texts.add(status === 200 ? text : `${status}`);
    if (status === 200) pids.add(pid);
    else failures += 1;
  }
  return { texts: [...texts], pids };
}

async function expectGreeting(t: Test, expected: string, message: string): Promise<void> {
  t.strictSame((await greetings()).texts, [expected], message);
}

t.test("a package that is not installed", async (t) => {
  const { status, body } = await apache.request("/hello");
  t.equal(status, 500, "a package that is not installed is an error");
  t.match(body, /npm install greeting/, "which says how to install it");
  t.notMatch(body, /mod-ts reload/, "and nothing else is needed");
  t.match(body, /hello\.ts:2/, "and names the line");
  t.equal((await apache.request("/guarded.txt")).status, 500, "nobody passes a guard without it");
  await expectGreeting(t, "500", "no worker has it");
});

t.test("npm install", async (t) => {
  npm("install", pack(writeGreeting("1.0.0", 'export const greet = () => "one";')));
  await expectGreeting(
    t,
    "one 5",
    "the next request after npm install has the package, and its body",
  );
  t.match(
    await apache.request("/guarded.txt"),
    { status: 200, headers: { "x-greeting": "one" } },
    "a guard has it, too",
  );

  const before = (await greetings()).pids;
  t.equal((await apache.request("/untouched")).body, "untouched");
  t.strictSame((await greetings()).pids, before, "nothing is replaced without a change");
});

t.test("an upgrade", async (t) => {
  const second = `import { text } from "./text.js"; export const greet = () => text;`;
  apache.write("greeting-2.0.0/lib/text.js", 'export const text = "two";');
  npm("install", pack(writeGreeting("2.0.0", second)));
  t.match(
    await apache.request("/guarded.txt"),
    { headers: { "x-greeting": "two" } },
    "a decision after an upgrade is of the new version",
  );
  await expectGreeting(t, "two 5", "so are the answers of every worker");
});

t.test("a package broken by hand", async (t) => {
  const installed = join(project, "node_modules/greeting/lib/index.js");
  writeFileSync(installed, "export const greet = () => {");
  await expectGreeting(t, "500", "a package that is broken by hand is an error");
  writeFileSync(installed, 'export const greet = () => "mended";');
  await expectGreeting(t, "mended 5", "and runs when it is mended");
});

t.test("a package that another one needs", async (t) => {
  const needy = `const { word } = require("greeting-word"); exports.greet = () => word;`;
  npm("install", pack(writeGreeting("3.0.0", needy, { optionalDependencies: {} })));
  await expectGreeting(t, "500", "a package lacks one that it needs");
  apache.write("word/package.json", '{ "name": "greeting-word", "version": "1.0.0" }');
  apache.write("word/index.js", 'exports.word = "three";');
  npm("install", pack(join(apache.folder, "word")));
  await expectGreeting(t, "three 5", "and has it as soon as that one is installed");
});

t.test("a linked package", async (t) => {
  const linked = writeGreeting("4.0.0", 'exports.greet = () => "four";');
  npm("install", linked);
  await expectGreeting(t, "four 5", "a linked package takes the place of an installed one");
  writeFileSync(join(linked, "lib/index.js"), 'exports.greet = () => "five";');
  await expectGreeting(t, "five 5", "and is read again when its source changes");
});

t.test("a CommonJS file of one's own", async (t) => {
  const ask = async (): Promise<string> => (await apache.request("/local")).body;
  t.strictSame([await ask(), await ask()], ["local 1", "local 1"]);
  apache.write("handlers/local.cjs", 'exports.text = "local 2";');
  const replaced = /worker \d+ of pool main is replaced: \S+local\.cjs has changed/;
  const answers = new Set<string>();
  await until(async () => apache.sidecarLog() + void answers.add(await ask()), replaced);
  t.strictSame([...answers, await ask()], ["local 2", "local 2"], "is read again by every worker");
  t.notMatch(apache.sidecarLog(), /exited|MODTS_WORKER/, "no worker has died");
});
