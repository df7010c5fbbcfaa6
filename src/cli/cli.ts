#!/usr/bin/env node
/** The command line `mod-ts <command>`; loads only the module of the given command. */
import { suggestion } from "../base/did-you-mean.ts";
import { type Command, formatHelp, UsageError } from "./commands/command.ts";
import { isModTsError } from "../base/errors.ts";

/** Loaded on demand: `mod-ts reload` must not wait for a compiler, nor the supervisor hold one. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: () => import("./commands/start.ts"),
  dev: () => import("./commands/dev.ts"),
  check: () => import("./commands/check.ts"),
  conf: () => import("./commands/conf.ts"),
  reload: () => import("./commands/reload.ts"),
  status: () => import("./commands/status.ts"),
  upgrade: () => import("./commands/upgrade.ts"),
  tickets: () => import("./commands/tickets.ts"),
  run: () => import("./commands/run.ts"),
  init: () => import("./commands/init.ts"),
  migrate: () => import("./commands/migrate.ts"),
};

// `mod-ts check | head` closes the pipe early.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = isNodeTooOld() ? 1 : await main(process.argv.slice(2));

/** Older versions of Node.js fail with a misleading error. Same version as in package.json. */
function isNodeTooOld(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 22)) return false;
  process.stderr.write(`mod-ts needs Node.js 22.22 or newer; this is ${process.versions.node}.\n`);
  return true;
}

async function main([name, ...argv]: string[]): Promise<number> {
  try {
    if (name === "--version" || name === "-v") return await printVersion();
    if (name === undefined || name === "--help" || name === "-h" || name === "help") {
      return await printHelp(name === undefined ? "stderr" : "stdout");
    }
    const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!load) {
      throw new UsageError(`unknown command: ${name}${suggestion(name, Object.keys(commands))}`);
    }
    const command = await load();
    if (!wantsHelp(argv)) return await command.run(argv);
    process.stdout.write(formatHelp(command));
    return 0;
  } catch (error) {
    return report(error, name);
  }
}

async function printVersion(): Promise<number> {
  const { version } = await import("../base/version.ts");
  process.stdout.write(`${version}\n`);
  return 0;
}

/** Without a command, the help is an error: standard error, exit code 2. */
async function printHelp(to: "stdout" | "stderr"): Promise<number> {
  const entries = await Promise.all(Object.values(commands).map((load) => load()));
  const width = Math.max(...entries.map(({ usage }) => usage.length));
  const lines = entries.map(
    ({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary.split("\n")[0]}`,
  );
  process[to].write(
    `Usage: mod-ts <command> [options]\n\nCommands:\n${lines.join("\n")}\n\n` +
      `Run "mod-ts <command> --help" for its options, "mod-ts --version" for the version.\n`,
  );
  return to === "stdout" ? 0 : 2;
}

function wantsHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end < 0 ? undefined : end).some((word) => /^(?:--help|-h)$/.test(word));
}

function report(error: unknown, name: string | undefined): number {
  if (error instanceof UsageError) {
    const command = name !== undefined && Object.hasOwn(commands, name) ? ` ${name}` : "";
    process.stderr.write(`mod-ts: ${error.message}\nSee: mod-ts${command} --help\n`);
    return 2;
  }
  const text = isModTsError(error)
    ? `${error.code}: ${error.message}`
    : error instanceof Error
      ? error.stack
      : String(error);
  process.stderr.write(`mod-ts: ${text}\n`);
  return 1;
}
