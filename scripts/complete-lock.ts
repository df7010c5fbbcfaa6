/**
 * Completes package-lock.json: `npm ci` refuses a lock file that lacks an optional package, and npm writes none for a package that the
 * registry at hand does not have, as mirrors often lack the binaries of platforms that nobody there uses.
 *
 * node scripts/complete-lock.ts [file …]   after `npm install`, when test/docker/images.ts says so
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const processors = ["arm64", "arm", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"];

/** What is read of package-lock.json. */
export interface Lock {
  packages: Record<string, Entry>;
}

interface Entry {
  version?: string;
  optionalDependencies?: Record<string, string>;
  dev?: boolean;
  license?: string;
  engines?: Record<string, string>;
}

interface Platform {
  os: string;
  cpu: string;
  libc?: string;
}

/** Entries that a parsed lock file lacks, by their key in `packages`; without a checksum, as nobody here has the package. */
export function missingEntries(lock: Lock): Record<string, object> {
  const missing: Record<string, object> = {};
  for (const { optionalDependencies = {}, dev, license, engines } of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const key = `node_modules/${name}`;
      if (lock.packages[key]) continue;
      const { cpu, libc, os } = platformOf(name);
      const which = { cpu: [cpu], ...(dev && { dev }), ...(libc && { libc: [libc] }) };
      missing[key] = { version, ...which, license, optional: true, os: [os], engines };
    }
  }
  return missing;
}

/** What such a package is for stands in its name, e.g. `@node-rs/bcrypt-linux-x64-musl`. */
function platformOf(name: string): Platform {
  const os = systems.find((one) => name.includes(one));
  const cpu = processors.find((one) => name.includes(`-${one}`));
  if (!os || !cpu) throw new Error(`${name}: for which platform?`);
  if (os !== "linux") return { os, cpu };
  return { os, cpu, libc: name.includes("musl") ? "musl" : "glibc" };
}

function complete(file: string): void {
  const lock = JSON.parse(readFileSync(file, "utf8")) as Lock;
  const missing = missingEntries(lock);
  // The project itself, under the empty name, sorts first.
  const all = Object.entries<object>({ ...lock.packages, ...missing }).toSorted(byName);
  const packages = Object.fromEntries(all);
  writeFileSync(file, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
  process.stdout.write(`${file}: ${Object.keys(missing).length} entries added\n`);
}

function byName([a]: [string, object], [b]: [string, object]): number {
  return a.localeCompare(b, "en");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = process.argv.slice(2);
  for (const file of files.length > 0 ? files : ["package-lock.json"]) complete(file);
}
