/** `mod-ts migrate`: a configuration of mod_python as one of mod_ts, with skeletons of its handlers. */
import { randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { ModTsError } from "../../base/errors.ts";
import { escapeControls } from "../../base/escape-controls.ts";
import { isFile } from "../../base/files.ts";
import { isBelow } from "../../httpd/config-model.ts";
import type { Note } from "../migrate/edits.ts";
import { type MigratedFile, migrate, type Migration } from "../migrate/migration.ts";
import { parseCommand, UsageError } from "./command.ts";

export const usage = "migrate <httpd.conf|.htaccess> [--dry-run]";

export const summary = `Converts a configuration of mod_python to one of mod_ts, with skeletons of its handlers.

Everything goes to a new directory beside the file; the original stays as it is.
Exit code 1 when something remains to be done by hand.`;

export const options = {
  output: {
    type: "string",
    placeholder: "directory",
    description: "directory to write (default: httpd.mod_ts beside httpd.conf)",
  },
  root: {
    type: "string",
    placeholder: "directory",
    description: "ServerRoot, for relative includes (default: that of the file)",
  },
  "dry-run": { type: "boolean", description: "print the files, write nothing" },
  force: {
    type: "boolean",
    description: "overwrite files of an earlier run, edited skeletons too",
  },
} as const;

/** Returns 1 if something is left to do. Throws `MODTS_MIGRATION_EXISTS`. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseCommand(options, argv);
  const [file] = positionals.map((path) => resolve(path));
  if (file === undefined) throw new UsageError("expected the path of a configuration file");
  if (!isFile(file)) throw new UsageError(`no such file: ${file}`);
  const migration = migrate(file, values.root && resolve(values.root));
  const directory = resolve(values.output ?? outputOf(file));
  const served = migration.served.find((each) => isBelow(directory, each));
  if (served !== undefined) {
    throw new UsageError(
      `Apache serves ${served}, sources included: choose another --output than ${directory}`,
    );
  }
  const files = [...migration.files, ...secretOf(migration)];
  if (values["dry-run"]) print(files);
  else write(directory, files, values.force ?? false);
  process.stdout.write(report(migration, directory, values["dry-run"] ?? false));
  return migration.notes.some(({ level }) => level !== "done") ? 1 : 0;
}

function outputOf(file: string): string {
  const name = basename(file).replace(/^\.|\.conf$/g, "");
  return join(dirname(file), `${name}.mod_ts`);
}

function secretOf({ needs }: Migration): MigratedFile[] {
  if (!needs.hasFilters) return [];
  return [{ path: "secret", text: `${randomBytes(32).toString("hex")}\n`, mode: 0o600 }];
}

function print(files: readonly MigratedFile[]): void {
  for (const { path, text } of files) {
    if (path !== "secret") process.stdout.write(`==> ${path}\n${text}\n`);
  }
}

function write(directory: string, files: readonly MigratedFile[], isForced: boolean): void {
  const existing = files.map(({ path }) => join(directory, path)).filter(isThere);
  if (existing.length > 0 && !isForced) {
    throw new ModTsError("MODTS_MIGRATION_EXISTS", { file: existing[0]! });
  }
  for (const { path, text, mode } of files) {
    const target = join(directory, path);
    if (path === "secret" && isThere(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    requireNoLinks(directory, dirname(target));
    rmSync(target, { force: true });
    writeFileSync(target, text, { mode, flag: "wx" });
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Attack: the owner of the directory places links to other ones, and root then writes there. */
function requireNoLinks(directory: string, path: string): void {
  if (path === directory) return;
  if (lstatSync(path).isSymbolicLink()) {
    throw new UsageError(`${path} is a symbolic link: choose another --output`);
  }
  requireNoLinks(directory, dirname(path));
}

function report({ notes, files, hasTrees }: Migration, directory: string, isDry: boolean): string {
  const left = notes.filter(({ level }) => level !== "done");
  const skeletons = files.filter(({ path }) => /^(?:handlers|root)\//.test(path));
  const lines = [
    ...notes.filter(({ level }) => level === "done").map(formatNote),
    ...left.map(formatNote),
    ...skeletons.map(({ path }) => `skeleton  ${path}`),
    "",
    `${count(notes.length - left.length, "line")} converted, ${count(left.length, "place")} by hand, ${count(skeletons.length, "skeleton")} to fill in.`,
    ...(isDry ? [] : nextSteps(directory, hasTrees)),
  ];
  // File names may come from other users.
  return lines.map((line) => `${escapeControls(line)}\n`).join("");
}

const words = { done: "converted", hand: "by hand", closed: "closed" };

function formatNote({ level, place, text }: Note): string {
  return `${words[level].padEnd(9)} ${place.file}:${place.line}  ${text}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function nextSteps(directory: string, hasTrees: boolean): string[] {
  return [
    "",
    `Written to ${directory}; the user of the sidecar must be able to read it. Next:`,
    "  1. Read the configuration there: every place that needs manual work has a comment # mod_ts.",
    `  2. mod-ts conf ${directory} --install`,
    "  3. Replace the configuration of mod_python with the new one, and remove its lines from .htaccess files.",
    ...(hasTrees
      ? [
          `  4. Only then: cp -R --no-clobber ${directory}/root/. /`,
          "     Before, Apache would show these files.",
        ]
      : []),
  ];
}
