/**
 * Preparation of a fresh checkout: npm packages; with `--docs` also the documentation site, in the
 * background; with `--unit` also tap's plugins; with `--test`
 * also an Apache httpd and the servers that some tests need; with `--bench` also an Apache httpd and
 * the tools of benchmarks. At a terminal it asks before it installs anything outside the checkout.
 * `MOD_TS_INSTALL=yes` or `no` is the answer in advance.
 *
 * Plain JavaScript for old Nodes: a machine's own Node may be too old to run TypeScript, and the
 * `node` package among the dependencies, which brings a current one, is not there before this
 * script has run.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("..", import.meta.url));
const inProject = (...names) => join(project, ...names);
const installed = inProject("node_modules", ".package-lock.json");
const tapStamp = inProject("node_modules", ".mod-ts-tap");

const callgrind = { name: "callgrind", program: "/usr/bin/valgrind", debianPackage: "valgrind" };
const wrk = { name: "wrk", program: "/usr/bin/wrk", debianPackage: "wrk" };
const servers = [
  { name: "MariaDB", program: "/usr/sbin/mariadbd", debianPackage: "mariadb-server" },
  { name: "PostgreSQL", program: "/usr/bin/pg_ctlcluster", debianPackage: "postgresql" },
  { name: "Redis", program: "/usr/bin/redis-server", debianPackage: "redis-server" },
  { name: "nginx", program: "/usr/sbin/nginx", debianPackage: "nginx-light" },
  { name: "Chromium", program: "/usr/bin/chromium", debianPackage: "chromium" },
  callgrind,
  { name: "iproute2", program: "/usr/sbin/ip", debianPackage: "iproute2" },
  { name: "docker-compose", program: "/usr/bin/docker-compose", debianPackage: "docker-compose" },
  { name: "litmus", program: "/usr/bin/litmus", debianPackage: "litmus" },
  { name: "PHP-FPM", program: "/usr/sbin/php-fpm8.2", debianPackage: "php8.2-fpm" },
  {
    name: "LemonLDAP::NG",
    program: "/usr/share/lemonldap-ng/portal/htdocs/index.psgi",
    // The portal does not start without the modules for its captcha, which Debian only recommends.
    debianPackage: "liblemonldap-ng-portal-perl libgd-securityimage-perl libimage-magick-perl",
  },
  {
    name: "mod_evasive",
    program: "/usr/lib/apache2/modules/mod_evasive20.so",
    debianPackage: "libapache2-mod-evasive",
    modules: ["evasive"],
  },
  {
    name: "mod_perl",
    program: "/usr/lib/apache2/modules/mod_perl.so",
    debianPackage: "libapache2-mod-perl2",
    modules: ["perl"],
  },
  {
    name: "mod_dav_svn",
    program: "/usr/lib/apache2/modules/mod_dav_svn.so",
    debianPackage: "libapache2-mod-svn subversion",
    modules: ["authz_svn", "dav_svn", "dav"],
  },
];
const isTest = process.argv.includes("--test");
const isBench = process.argv.includes("--bench");
const programs = isTest ? servers : [callgrind, wrk];

installPackages();
if (process.argv.includes("--docs")) buildDocs();
if (isTest || process.argv.includes("--unit")) buildTap();
if (isTest || isBench) {
  await askOnce();
  provideHttpd();
  for (const server of programs) provideServer(server);
}

/** The answer holds for everything that follows, in child processes, too. */
async function askOnce() {
  const isInteractive = process.stdin.isTTY && process.stderr.isTTY && !process.env.CI;
  if (process.env.MOD_TS_INSTALL || !isInteractive || process.getuid?.() !== 0) return;
  const missing = programs.filter(({ program }) => !existsSync(program)).map(({ name }) => name);
  if (!isHttpdThere()) missing.unshift("Apache httpd");
  if (missing.length === 0) return;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const question = `mod_ts: install what ${isTest ? "tests" : "benchmarks"} need on this machine: ${missing.join(", ")}? [y/N] `;
  const answer = await new Promise((resolve) => {
    // Ctrl+D is a no.
    terminal.once("close", () => resolve(""));
    terminal.question(question, resolve);
  });
  terminal.close();
  process.env.MOD_TS_INSTALL = /^y(es)?$/i.test(answer.trim()) ? "yes" : "no";
}

/** npm's own record of what it installed tells whether package-lock.json has changed since. */
function installPackages() {
  if (existsSync(installed) && modified(installed) >= modified(inProject("package-lock.json"))) {
    return;
  }
  say("installing npm packages (once; about a minute)");
  // `npm ci` wants every platform's binaries in the lock file, and registries that mirror only some of them leave gaps:
  // `npm install --no-save` keeps the locked versions, too, and fills the gaps.
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  if (npm(["ci", ...quiet], "ignore") !== 0 && npm(["install", "--no-save", ...quiet]) !== 0) {
    fail("npm could not install the packages. Its message is above; is the registry reachable?");
  }
  if (!existsSync(installed)) fail(`npm has not written ${installed}`);
  const now = new Date();
  utimesSync(installed, now, now);
}

/** The examples start meanwhile; `examples/docs.ts` shows the log if the site cannot be built. */
function buildDocs() {
  const directory = inProject("examples", ".mod-ts", "docs");
  try {
    mkdirSync(directory, { recursive: true });
    const log = openSync(join(directory, "log"), "w");
    const program = inProject("scripts", "docs-site", "build.ts");
    const options = { detached: true, stdio: ["ignore", log, log] };
    // It yields to the first pages of the examples.
    const child = spawn(
      "nice",
      [node(), "--disable-warning=ExperimentalWarning", program],
      options,
    );
    child.on("error", (error) => say(`the documentation is not built: ${error.message}`)).unref();
  } catch (error) {
    say(`the documentation is not built: ${error.message}`);
  }
}

/** tap compiles its set of plugins when .taprc changes it; done inside `tap run`, that very run fails. */
function buildTap() {
  const wanted = readFileSync(inProject(".taprc"), "utf8") + modified(installed);
  if (existsSync(tapStamp) && readFileSync(tapStamp, "utf8") === wanted) return;
  say("building tap's plugins (once)");
  const tap = inProject("node_modules", "tap", "dist", "esm", "index.js");
  const status = run(node(), [inProject("node_modules", ".bin", "tap"), "build"]);
  if (status !== 0)
    fail(`tap build failed with ${status}; is ${tap} complete? Remove node_modules and try again.`);
  writeFileSync(tapStamp, wanted);
}

function isHttpdThere() {
  const code = `const { findHttpd } = await import(${httpdModule("find")});
process.exit(await findHttpd(process.env.MOD_TS_HTTPD) ? 0 : 1);`;
  return runCode(code) === 0;
}

/** The tests run against a real httpd. */
function provideHttpd() {
  const code = `const { provideHttpd } = await import(${httpdModule("provide")});
try { await provideHttpd((text) => console.error("mod_ts: " + text)); }
catch (error) { console.error("mod_ts: " + error.message); process.exit(1); }`;
  if (runCode(code) !== 0) {
    fail("tests and benchmarks need an Apache httpd; see above. npm run test:unit needs none");
  }
}

function httpdModule(name) {
  return JSON.stringify(new URL(`../src/httpd/${name}.ts`, import.meta.url).href);
}

function runCode(code) {
  return run(node(), ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", code]);
}

/** Some tests run against a real server of another kind; without one they are skipped, and say so. */
function provideServer({ name, program, debianPackage, modules }) {
  if (existsSync(program)) return;
  const command = `apt-get install -y --no-install-recommends ${debianPackage}`;
  const isRefused = process.env.MOD_TS_INSTALL === "no";
  if (isRefused || process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    return say(`${name} is missing; what needs it is skipped (Debian: ${command})`);
  }
  say(`${name} is missing on this machine; installing it: ${command}`);
  // Debian asks this file whether a package may start its service, and 101 means no.
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  process.env.DEBIAN_FRONTEND = "noninteractive";
  const status = run("sh", ["-c", `${command} -q || { apt-get update -q && ${command} -q; }`]);
  if (ours) rmSync(policy, { force: true });
  // Only the private servers of tests load it, not the Apache of this machine.
  if (modules && status === 0) run("a2dismod", ["-q", "-f", ...modules]);
  if (status !== 0) say(`installation failed; what needs ${name} is skipped`);
}

function npm(args, stderr = "inherit") {
  // npm passes its own path to scripts; on its own, this script uses the one on PATH.
  const own = process.env.npm_execpath;
  const [program, first] = own ? [process.execPath, [own]] : ["npm", []];
  return run(program, [...first, ...args], stderr);
}

function run(program, args, stderr = "inherit") {
  const { status, error } = spawnSync(program, args, {
    cwd: project,
    stdio: ["ignore", 2, stderr],
    env: { ...process.env, PATH: `${inProject("node_modules", ".bin")}:${process.env.PATH}` },
  });
  if (error) say(`${program}: ${error.message}`);
  return status;
}

/** The current Node of the `node` package, or the one that runs this script. */
function node() {
  const own = inProject("node_modules", ".bin", "node");
  return existsSync(own) ? own : process.execPath;
}

function modified(file) {
  return statSync(file).mtimeMs;
}

function say(text) {
  process.stderr.write(`mod_ts: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
