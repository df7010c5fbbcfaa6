/** Installation of the distribution's httpd where there is none. */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError } from "../base/errors.ts";
import { findHttpd, type Httpd } from "./find.ts";

interface Recipe {
  /** Program that selects the recipe. */
  readonly program: string;
  readonly commands: readonly (readonly string[])[];
}

const recipes: readonly Recipe[] = [
  {
    program: "apt-get",
    commands: [
      ["apt-get", "update", "-q"],
      ["apt-get", "install", "-q", "-y", "--no-install-recommends", "apache2"],
    ],
  },
  { program: "dnf", commands: [["dnf", "install", "-y", "httpd"]] },
  { program: "yum", commands: [["yum", "install", "-y", "httpd"]] },
  { program: "apk", commands: [["apk", "add", "apache2", "apache2-proxy"]] },
  { program: "zypper", commands: [["zypper", "--non-interactive", "install", "apache2"]] },
  { program: "pacman", commands: [["pacman", "-S", "--noconfirm", "apache"]] },
  { program: "brew", commands: [["brew", "install", "httpd"]] },
];

/** Debian runs this program before a package starts its service; 101 means no. */
const policyFile = "/usr/sbin/policy-rc.d";

/** Time to press Ctrl+C at a terminal before root installs a package. */
const refusalMs = 5000;

/**
 * The httpd of this machine, installed now if it is missing, we are root, and there is a package
 * manager. Its service is not started. `say` is called before anything is installed, and
 * `MOD_TS_INSTALL=no` refuses.
 * @throws ModTsError `MODTS_HTTPD_MISSING`, with the command that the user can run
 */
export async function provideHttpd(say: (text: string) => void): Promise<Httpd> {
  const path = process.env["MOD_TS_HTTPD"];
  const found = await findHttpd(path);
  if (found) return found;
  if (path) throw missing(`MOD_TS_HTTPD=${path} is no Apache httpd 2.x`);
  const recipe = findRecipe(process.env["PATH"] ?? "");
  if (!recipe) throw missing("install Apache httpd 2.4, or set MOD_TS_HTTPD to its program");
  const script = recipe.commands.map((command) => command.join(" ")).join(" && ");
  if (process.getuid?.() !== 0 || process.env["MOD_TS_INSTALL"] === "no") {
    throw missing(`install it with: sudo sh -c '${script}'`);
  }
  say(`no Apache httpd on this machine; installing it: ${script} (MOD_TS_INSTALL=no refuses)`);
  if (process.stderr.isTTY && process.env["MOD_TS_INSTALL"] !== "yes") {
    say(`the installation starts in ${refusalMs / 1000} seconds; Ctrl+C stops it`);
    await sleep(refusalMs);
  }
  withoutServiceStart(() => install(recipe, script));
  const installed = await findHttpd();
  if (!installed) throw missing(`${script} went well, but httpd is still not to be found`);
  say(`installed ${installed.binary} ${installed.version}; its service is not started`);
  return installed;
}

/** The recipe for the first package manager on `searchPath`. */
export function findRecipe(searchPath: string): Recipe | undefined {
  const directories = searchPath.split(delimiter);
  return recipes.find(({ program }) =>
    directories.some((directory) => existsSync(join(directory, program))),
  );
}

function install(recipe: Recipe, script: string): void {
  for (const [program = "", ...args] of recipe.commands) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    // Standard output belongs to the command: `mod-ts conf > file` must not contain other output.
    const { status } = spawnSync(program, args, { stdio: ["ignore", 2, 2], env });
    // With a mirror down `update` fails, but older lists may suffice.
    if (status !== 0 && args[0] !== "update") throw missing(`this failed: ${script}`);
  }
}

/** Debian starts a service after its installation, which would take port 80. */
function withoutServiceStart(action: () => void): void {
  const ours = existsSync("/usr/bin/dpkg") && !existsSync(policyFile);
  if (ours) writeFileSync(policyFile, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    action();
  } finally {
    if (ours) rmSync(policyFile, { force: true });
  }
}

function missing(reason: string): ModTsError {
  return new ModTsError("MODTS_HTTPD_MISSING", reason);
}
