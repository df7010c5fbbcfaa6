/** The package as it is published: what is in it, and that it works where it is installed. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { parse } from "yaml";
import { unprivilegedUser } from "../src/httpd/server-root.ts";
import { defaultModules, writeServerRoot } from "../src/httpd/server-root.ts";
import { requireHttpd, temporaryFolder } from "./fixtures/httpd.ts";
import { until } from "./fixtures/until.ts";

const project = join(import.meta.dirname, "..");
const folder = temporaryFolder(t);
const app = join(folder, "app");
// With the Node that runs this for `#!/usr/bin/env node`.
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` };
// tap gives child processes a preload, under which tsc does not start and nothing is as it is for users.
const plain = ["--unset=NODE_OPTIONS"];
// Fetched once for this checkout; packages need not come over the network again.
const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];

const packed = execFileSync(
  "env",
  [...plain, "npm", "pack", "--json", "--pack-destination", folder],
  {
    encoding: "utf8",
    cwd: project,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  },
);
// What the build prints comes before.
const report = JSON.parse(packed.slice(packed.search(/^[[{]$/m))) as
  | Report[]
  | Record<string, Report>;
const [tarball] = Object.values(report);
if (!tarball) throw new Error("npm packed nothing");
const files = tarball.files.map(({ path }) => path);

interface Report {
  filename: string;
  size: number;
  files: { path: string }[];
}

t.test("what is in it", async (t) => {
  const top = new Set(files.map((path) => path.split("/")[0] ?? ""));
  const wanted = "CHANGELOG.md LICENSE README.md SECURITY.md apache-conf deploy dist docs";
  t.same([...top].toSorted(), [...wanted.split(" "), "examples", "package.json", "templates"]);
  for (const path of files) {
    t.notMatch(path, /(^|\/)(test|bench|node_modules|\.mod-ts|secrets)\/|\.(map|tgz|log)$/, path);
    if (path.startsWith("dist/")) t.match(path, /(\.c?js|\.d\.c?ts)$/, path);
  }
  const sources = globSync("src/**/*.{ts,cjs}", { cwd: project });
  const expected = sources.map((path) => path.replace(/^src/, "dist").replace(/\.ts$/, ".js"));
  const built = files.filter((path) => /^dist\/.*\.c?js$/.test(path));
  t.same(built.toSorted(), expected.toSorted(), "each source has its built file, and no other");
  t.ok(tarball.size < 1_000_000, `${tarball.size} bytes`);
});

t.test("its documentation links to what is in it", (t) => {
  for (const page of files.filter((path) => path.endsWith(".md"))) {
    const text = readFileSync(join(project, page), "utf8");
    for (const [, link = ""] of text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)) {
      const path = join(dirname(page), link).replace(/\/$/, "");
      // For readers of the sources.
      if (/^(?:test\/|CONTRIBUTING\.md)/.test(path)) continue;
      t.ok(
        files.some((file) => file === path || file.startsWith(`${path}/`)),
        `${page}: ${link}`,
      );
    }
  }
  t.end();
});

t.test("it is installed into an empty folder, and works there", async (t) => {
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), '{ "private": true, "type": "module" }');
  const file = join(folder, tarball.filename);
  execFileSync("env", [...plain, "npm", "install", file, ...quiet], {
    cwd: app,
    env,
    stdio: "ignore",
  });
  const command = join(app, "node_modules/.bin/mod-ts");
  const run = (...words: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync("env", [...plain, command, ...words], { cwd: app, env, encoding: "utf8" });

  const { version } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
    version: string;
  };
  t.match(run("--version"), { status: 0, stdout: `${version}\n` });

  const init = run("init");
  t.equal(init.status, 0, { init });
  for (const name of ["hello.ts", "mod-ts.config.ts", "apache.conf"]) {
    t.ok(existsSync(join(app, name)), name);
  }
  t.match(run("run", "hello.ts"), { status: 0, stdout: "Hello from mod_ts!" });

  await t.test("check", async (t) => {
    const httpd = await requireHttpd();
    const conf = run("conf");
    t.equal(conf.status, 0);
    // An httpd as the documentation would have it: all modules, and what `mod-ts conf` prints.
    const root = { directory: join(folder, "httpd"), httpd, host: "127.0.0.1", port: 1 };
    const user = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
    writeServerRoot({ ...root, modules: defaultModules, user, conf: conf.stdout });
    const words = ["--httpd", httpd.binary, "--config", join(root.directory, "httpd.conf")];
    const check = run("check", ...words);
    // Everything else is right.
    t.equal(check.status, 1, { check });
    t.match(check.stdout.match(/^bad .*/gm), [/is not running .*\(sidecar-down\)/]);
    t.ok(check.stdout.match(/^ok {4}/gm)!.length >= 12, check.stdout);
  });

  await t.test("the tests of the project that init writes", async (t) => {
    const template = readFileSync(join(project, "templates/init/package.json"), "utf8");
    const { scripts } = JSON.parse(template) as { scripts: { test: string } };
    const words = [...plain, "sh", "-c", scripts.test];
    const { status, stdout, stderr } = spawnSync("env", words, { cwd: app, env, encoding: "utf8" });
    t.equal(status, 0, { stdout, stderr });
    t.match(stdout, /pass 1/);
  });

  await t.test("dev", async (t) => {
    const words = [...plain, command, "dev"];
    const child = spawn("env", words, { cwd: app, env, stdio: ["ignore", "pipe", "pipe"] });
    const said = listen(child);
    t.teardown(() => child.kill("SIGKILL"));
    const address = /http:\/\/127\.0\.0\.1:\d+/;
    const [url = ""] = address.exec(await until(said, address)) ?? [];
    const ask = async (): Promise<string> => (await fetch(`${url}/hello`)).text();
    t.equal(await ask(), "Hello from mod_ts!\n", { said: said() });
    const hello = join(app, "hello.ts");
    writeFileSync(hello, readFileSync(hello, "utf8").replace("Hello from mod_ts!", "Saved."));
    t.equal(await ask(), "Saved.\n");
    const ended = once(child, "exit");
    child.kill("SIGINT");
    t.same(await ended, [0, null], { said: said() });
  });

  await t.test("the project of init has no type errors", async (t) => {
    const tsc = join(project, "node_modules/.bin/tsc");
    const words = [...plain, tsc, "--project", ".", "--skipLibCheck", "false"];
    const { status, stdout } = spawnSync("env", words, { cwd: app, env, encoding: "utf8" });
    t.equal(status, 0, { stdout });
  });
});

function listen(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  }
  return () => text;
}

t.test("the Debian package is installed by dpkg, and works there", async (t) => {
  const programs = ["dpkg", "dpkg-deb", "systemd-sysusers"];
  const missing = programs.filter((name) => spawnSync(name, ["--version"]).error);
  if (missing.length > 0 || process.getuid?.() !== 0) {
    return t.comment(`needs root and ${programs.join(", ")}`);
  }
  const words = ["scripts/build-deb.ts", folder, join(folder, tarball.filename)];
  const run = (file: string, ...more: string[]): { status: number | null; stdout: string } =>
    spawnSync("env", [...plain, file, ...more], { cwd: project, env, encoding: "utf8" });
  const built = run(process.execPath, ...words);
  t.equal(built.status, 0, { built });
  const root = join(folder, "root");
  for (const name of ["info", "updates", "triggers"]) {
    mkdirSync(join(root, "var/lib/dpkg", name), { recursive: true });
  }
  mkdirSync(join(root, "etc"));
  writeFileSync(join(root, "var/lib/dpkg/status"), "");
  // Its Node is not a package of this machine.
  const force = ["--force-depends", "--force-script-chrootless", "--force-unsafe-io"];
  const dpkg = (...more: string[]) => run("dpkg", `--root=${root}`, ...force, ...more);
  const installed = dpkg("--install", built.stdout.trim());
  t.equal(installed.status, 0, { installed });
  t.match(dpkg("--status", "mod-ts").stdout, "Status: install ok installed");
  t.match(readFileSync(join(root, "etc/passwd"), "utf8"), /^mod-ts:/m);
  t.match(readFileSync(join(root, "etc/group"), "utf8"), /^www-data:x:33:mod-ts$/m);
  for (const name of ["mod-ts.service", "mod-ts.socket"]) {
    t.ok(existsSync(join(root, "usr/lib/systemd/system", name)), name);
  }
  const command = join(root, "usr/bin/mod-ts");
  const hello = join(project, "examples/hello.ts");
  t.match(run(command, "run", hello), { status: 0, stdout: "Hello from mod_ts!" });
  // The next version, without a file that this one has.
  const next = join(folder, "next");
  run("dpkg-deb", "--raw-extract", built.stdout.trim(), next);
  const control = join(next, "DEBIAN/control");
  writeFileSync(control, readFileSync(control, "utf8").replace(/^Version: .*/m, "Version: 99.0.0"));
  rmSync(join(next, "usr/lib/mod-ts/SECURITY.md"));
  run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", next, `${next}.deb`);
  const upgraded = dpkg("--install", `${next}.deb`);
  t.equal(upgraded.status, 0, { upgraded });
  t.match(
    dpkg("--status", "mod-ts").stdout,
    /^Status: install ok installed$[^]*^Version: 99\.0\.0$/m,
  );
  t.notOk(existsSync(join(root, "usr/lib/mod-ts/SECURITY.md")), "the upgrade removes old files");
  t.match(run(command, "run", hello), { status: 0, stdout: "Hello from mod_ts!" });
  t.equal(dpkg("--purge", "mod-ts").status, 0);
  t.notOk(existsSync(join(root, "usr/lib/mod-ts")), "nothing is left");
});

t.test("version, changelog and workflows agree", async (t) => {
  const read = (name: string): string => readFileSync(join(project, name), "utf8");
  const { version } = JSON.parse(read("package.json")) as { version: string };
  const [newest] = read("CHANGELOG.md").match(/(?<=^## )\d+\.\d+\.\d+\S*(?=, )/m) ?? [];
  t.equal(newest, version);
  const release = read(".github/workflows/release.yml");
  t.match(release, "npm publish --provenance");
  t.match(release, "node scripts/build-deb.ts");
  for (const name of ["ci", "release", "images"]) {
    const { jobs, permissions } = parse(read(`.github/workflows/${name}.yml`)) as {
      jobs: Record<string, { steps: { uses?: string; with?: Record<string, unknown> }[] }>;
      permissions: unknown;
    };
    t.same(permissions, { contents: "read" }, `${name}: jobs ask for more one by one`);
    const steps = Object.values(jobs).flatMap((job) => job.steps);
    for (const { uses = "", with: given } of steps.filter((step) => step.uses)) {
      t.match(uses, /@v\d+$/, `${name}: ${uses}`);
      if (uses.startsWith("actions/checkout")) t.equal(given?.["persist-credentials"], false);
    }
  }
});
