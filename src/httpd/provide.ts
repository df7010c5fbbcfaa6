/**
 * Gets an httpd where there is none: installs the package of the distribution when that is possible.
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { ModTsError } from "../errors.ts";
import { findHttpd, type Httpd } from "./find.ts";

/** How one package manager gets httpd: the commands, in order. */
interface Recipe {
  /** Program that tells which recipe applies. */
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

/** Debian asks this program whether a package may start its service; 101 means no. */
const policyFile = "/usr/sbin/policy-rc.d";

/**
 * The httpd of this machine, installed now if it is missing, we are root, and there is a package manager. Its service is not started.
 * `say` hears what is done.
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
  if (process.getuid?.() !== 0) throw missing(`install it with: sudo sh -c '${script}'`);
  say(`there is no Apache httpd on this machine; installing it: ${script}`);
  withoutServiceStart(() => install(recipe, script));
  const installed = await findHttpd();
  if (!installed) throw missing(`${script} went well, but httpd is still not to be found`);
  say(`installed ${installed.binary} ${installed.version}; its service is not started`);
  return installed;
}

/** The recipe for the first package manager on `searchPath`. */
export function findRecipe(searchPath: string): Recipe | undefined {
  const folders = searchPath.split(delimiter);
  return recipes.find(({ program }) => folders.some((folder) => existsSync(join(folder, program))));
}

function install(recipe: Recipe, script: string): void {
  for (const [program = "", ...args] of recipe.commands) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    // Standard output belongs to the command that asked: `mod-ts conf > file` must not catch a package manager's words.
    const { status } = spawnSync(program, args, { stdio: ["ignore", 2, 2], env });
    // A mirror that is down fails `update`, and yet the lists from before may do.
    if (status !== 0 && args[0] !== "update") throw missing(`this failed: ${script}`);
  }
}

/** Debian starts a service as soon as it is installed: it would take port 80 of the machine without being asked. */
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
  return new ModTsError("MODTS_HTTPD_MISSING", { reason });
}
