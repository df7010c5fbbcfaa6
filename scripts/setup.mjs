/**
 * Makes a fresh checkout ready: npm packages, and with `--test` also tap's plugins and an Apache httpd.
 *
 * Plain JavaScript for old Nodes: a machine's own Node may be too old to run TypeScript, and the `node` package among the
 * dependencies, which brings a current one, is not there before this script has run.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("..", import.meta.url));
const inProject = (...names) => join(project, ...names);
const installed = inProject("node_modules", ".package-lock.json");
const tapStamp = inProject("node_modules", ".mod-ts-tap");

installPackages();
if (process.argv.includes("--test")) {
  buildTap();
  provideHttpd();
  provideServer("MariaDB", "/usr/sbin/mariadbd", "mariadb-server");
  provideServer("Redis", "/usr/bin/redis-server", "redis-server");
  provideServer("nginx", "/usr/sbin/nginx", "nginx-light");
  provideServer("Redis", "/usr/bin/redis-server", "redis-server");
  provideServer("iproute2", "/usr/sbin/ip", "iproute2");
  provideServer("docker-compose", "/usr/bin/docker-compose", "docker-compose");
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

/** The tests run against a real httpd. */
function provideHttpd() {
  const file = new URL("../src/httpd/provide.ts", import.meta.url).href;
  const code = `const { provideHttpd } = await import(${JSON.stringify(file)});
try { await provideHttpd((text) => console.error("mod_ts: " + text)); }
catch (error) { console.error("mod_ts: " + error.message); process.exit(1); }`;
  if (
    run(node(), ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", code]) !== 0
  ) {
    fail("the tests need an Apache httpd; the way to one is above");
  }
}

/** Some tests run against a real server of another kind; without one they are skipped, and say so. */
function provideServer(name, program, debianPackage) {
  if (existsSync(program)) return;
  const command = `apt-get install -y --no-install-recommends ${debianPackage}`;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    return say(`there is no ${name}; tests with one are skipped (Debian: ${command})`);
  }
  say(`there is no ${name} on this machine; installing it: ${command}`);
  // Debian asks this file whether a package may start its service, and 101 means no.
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  process.env.DEBIAN_FRONTEND = "noninteractive";
  const status = run("sh", ["-c", `${command} -q || { apt-get update -q && ${command} -q; }`]);
  if (ours) rmSync(policy, { force: true });
  if (status !== 0) say(`that failed: tests with ${name} are skipped`);
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
