/**
 * Builds the documentation site that `npm start` serves at `/docs/`, if its sources have changed.
 * `npm start` runs it in the background: nothing waits for it, and its output is a file that
 * `examples/docs.ts` shows if there is no site.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { project } from "./links.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  // The API reference takes as long as all other pages.
  options: { "without-api": { type: "boolean", default: false } },
});
const own = import.meta.dirname;
/** Where `mod-ts dev` serves the site. */
const examples = resolve(positionals[0] ?? join(project, "examples"));
const site = join(examples, "public/docs");
const fresh = `${site}.new`;
const stampName = "sources.sha1";
/** For examples/docs.ts: it exists while a build runs. */
const pidFile = join(examples, ".mod-ts/docs/pid");
/** VitePress's directory for temporary files serves one build at a time. */
const lockFile = join(own, ".lock");

// Apache, which may run as another user, has to read what is built.
process.umask(0o022);
if (readOr(join(site, stampName)) !== hashSources()) process.exitCode = await build();

/** 2 if the packages are not there and cannot be had. */
async function build(): Promise<0 | 1 | 2> {
  mkdirSync(dirname(pidFile), { recursive: true });
  writeFileSync(pidFile, String(process.pid));
  await lock();
  try {
    if (!installPackages()) return 2;
    return generateApi() && buildPages() ? 0 : 1;
  } finally {
    rmSync(lockFile, { force: true });
    rmSync(pidFile, { force: true });
  }
}

async function lock(): Promise<void> {
  for (;;) {
    try {
      return writeFileSync(lockFile, String(process.pid), { flag: "wx" });
    } catch {
      if (!isRunning(Number(readOr(lockFile)))) rmSync(lockFile, { force: true });
      await sleep(200);
    }
  }
}

function installPackages(): boolean {
  const wanted = readFileSync(join(own, "package-lock.json"), "utf8");
  const stamp = join(own, "node_modules/.mod-ts-lock");
  if (readOr(stamp) === wanted) return true;
  const npmPath = process.env["npm_execpath"];
  const [program, first] = npmPath ? [process.execPath, [npmPath]] : ["npm", []];
  const npm = (...args: string[]): boolean =>
    run(
      program,
      ...first,
      ...args,
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
    );
  // As in scripts/setup.mjs: the second fills gaps of registries that have some platforms only.
  if (!npm("ci") && !npm("install", "--no-save")) return false;
  writeFileSync(stamp, wanted);
  return true;
}

function generateApi(): boolean {
  const program = join(own, "node_modules/typedoc/bin/typedoc");
  return values["without-api"] || run(process.execPath, program, "--options", own);
}

/** The new site takes the place of the old one when it is complete. */
function buildPages(): boolean {
  const sources = hashSources();
  process.env["DOCS_OUT"] = fresh;
  if (values["without-api"]) process.env["DOCS_WITHOUT_API"] = "yes";
  if (!run(process.execPath, join(own, "node_modules/vitepress/bin/vitepress.js"), "build")) {
    return false;
  }
  writeFileSync(join(fresh, stampName), sources);
  rmSync(site, { recursive: true, force: true });
  renameSync(fresh, site);
  return true;
}

function hashSources(): string {
  const patterns = [
    "*.md",
    "docs/**/*",
    "src/**/*.ts",
    "scripts/docs-site/{*,.vitepress/*,.vitepress/theme/*}.{js,json,ts,css}",
  ];
  const hash = createHash("sha1").update(String(values["without-api"]));
  const files = globSync(patterns, { cwd: project, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(join(project, "docs/api/")));
  for (const file of files.toSorted()) hash.update(file).update(readFileSync(file));
  return hash.digest("hex");
}

function run(program: string, ...args: string[]): boolean {
  const { status, error } = spawnSync(program, args, { cwd: own, stdio: ["ignore", 2, 2] });
  if (error) process.stderr.write(`${program}: ${error.message}\n`);
  return status === 0;
}

function isRunning(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

function readOr(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
