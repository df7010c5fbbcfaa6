/**
 * Makes a Debian package of the sidecar: mod_ts with the packages of its lock file, the command `mod-ts`, and the systemd units.
 *
 *   node scripts/build-deb.ts [directory] [tarball of npm pack]
 *
 * For the architecture of this machine, because a part of the compiler is native.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const project = join(import.meta.dirname, "..");
const units = ["mod-ts.service", "mod-ts.socket", "mod-ts-guards.socket", "mod-ts-decide.socket"];
const scripts = ["postinst", "prerm", "postrm"];
const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];

const [directory = ".", given] = process.argv.slice(2);
const { version, description, engines } = JSON.parse(
  readFileSync(join(project, "package.json"), "utf8"),
) as { version: string; description: string; engines: { node: string } };

const root = mkdtempSync(join(tmpdir(), "mod-ts-deb-"));
try {
  // mkdtemp makes it 0700, and the package has its mode.
  chmodSync(root, 0o755);
  installModules(given ?? pack());
  installFiles();
  process.stdout.write(`${build()}\n`);
} finally {
  rmSync(root, { recursive: true });
}

function pack(): string {
  const words = ["pack", "--silent", "--pack-destination", root];
  const said = execFileSync("npm", words, { cwd: project, encoding: "utf8" });
  return join(root, said.trim().split("\n").at(-1) ?? "");
}

/** As in the image: the versions of the lock file, and no script of a package. */
function installModules(tarball: string): void {
  const library = inRoot("usr/lib/mod-ts");
  execFileSync("tar", ["-xzf", tarball, "-C", library, "--strip-components=1"]);
  if (tarball.startsWith(root)) rmSync(tarball);
  cpSync(join(project, "package-lock.json"), join(library, "package-lock.json"));
  const words = ["ci", "--omit=dev", "--ignore-scripts", "--prefer-offline", ...quiet];
  execFileSync("npm", words, { cwd: library, stdio: ["ignore", "ignore", "inherit"] });
}

function installFiles(): void {
  symlinkSync("../lib/mod-ts/dist/cli/cli.js", join(inRoot("usr/bin"), "mod-ts"));
  chmodSync(join(root, "usr/lib/mod-ts/dist/cli/cli.js"), 0o755);
  for (const unit of units) {
    cpSync(join(project, "docs", unit), join(inRoot("usr/lib/systemd/system"), unit));
  }
  const sources = join(project, "packaging/debian");
  cpSync(join(sources, "sysusers.conf"), join(inRoot("usr/lib/sysusers.d"), "mod-ts.conf"));
  cpSync(join(project, "LICENSE"), join(inRoot("usr/share/doc/mod-ts"), "copyright"));
  for (const script of scripts) {
    cpSync(join(sources, script), join(inRoot("DEBIAN"), script));
    chmodSync(join(root, "DEBIAN", script), 0o755);
  }
  execFileSync("chmod", ["-R", "u=rwX,go=rX", join(root, "usr")]);
}

function build(): string {
  const architecture = execFileSync("dpkg", ["--print-architecture"], { encoding: "utf8" }).trim();
  const [, size = ""] =
    /^(\d+)/.exec(execFileSync("du", ["-sk", root], { encoding: "utf8" })) ?? [];
  const control = {
    Package: "mod-ts",
    // Debian sorts 1.0.0~beta.1 before 1.0.0.
    Version: version.replace("-", "~"),
    Architecture: architecture,
    Maintainer: "mod_ts",
    "Installed-Size": size,
    Depends: `nodejs (${engines.node.replace(/^>=/, ">= ")}), systemd`,
    Recommends: "apache2 (>= 2.4.47)",
    Section: "httpd",
    Priority: "optional",
    Description: description,
  };
  const lines = Object.entries(control).map(([name, value]) => `${name}: ${value}\n`);
  writeFileSync(join(inRoot("DEBIAN"), "control"), lines.join(""));
  mkdirSync(directory, { recursive: true });
  const file = resolve(directory, `mod-ts_${control.Version}_${architecture}.deb`);
  const words = ["--root-owner-group", "-Zgzip", "--build", root, file];
  execFileSync("dpkg-deb", words, { stdio: ["ignore", "ignore", "inherit"] });
  return file;
}

function inRoot(path: string): string {
  mkdirSync(join(root, path), { recursive: true });
  return join(root, path);
}
