/**
 * Installs what `npm run bench` compares with: `npm run bench:peers`, as root on Debian or Ubuntu.
 * The packages enable their modules in the distribution's own Apache; that is undone, because the
 * benchmark loads them into servers of its own.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { parse } from "node:path";
import { peerPackages } from "./peers.ts";

const enabled = "/etc/apache2/mods-enabled";
const install = ["install", "-y", "--no-install-recommends", ...peerPackages];

if (process.geteuid?.() !== 0) {
  throw new Error(`only root can install packages: sudo apt-get ${install.join(" ")}`);
}
const before = modules();
run("apt-get", install);
const after = modules();
const more = after.filter((name) => !before.includes(name));
const fewer = before.filter((name) => !after.includes(name));
// A thread-safe MPM cannot be enabled again while mod_php is.
if (more.length > 0) run("a2dismod", ["-q", "-f", ...more]);
if (fewer.length > 0) run("a2enmod", ["-q", ...fewer]);

function modules(): string[] {
  const names = existsSync(enabled) ? readdirSync(enabled) : [];
  return names.filter((name) => name.endsWith(".load")).map((name) => parse(name).name);
}

function run(program: string, args: readonly string[]): void {
  const { status } = spawnSync(program, args, {
    stdio: "inherit",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed`);
}
