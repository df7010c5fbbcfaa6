#!/usr/bin/env node
/**
 * `mod-ts <command>`: loads the one command that is asked for, and nothing else.
 * @module
 */
import { closest } from "./closest.ts";
import { type Command, formatHelp, UsageError } from "./commands/command.ts";
import { isModTsError } from "./errors.ts";

/** Loaded when asked for: `mod-ts reload` must not wait for a compiler, and the supervisor must not hold one. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: () => import("./commands/start.ts"),
  dev: () => import("./commands/dev.ts"),
  check: () => import("./commands/check.ts"),
  conf: () => import("./commands/conf.ts"),
  reload: () => import("./commands/reload.ts"),
  run: () => import("./commands/run.ts"),
  init: () => import("./commands/init.ts"),
};

// Whoever reads the output may have seen enough (`mod-ts check | head`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = isNodeTooOld() ? 1 : await main(process.argv.slice(2));

/** Said here, as an older Node fails in places that would name the wrong cause. The same number stands in package.json. */
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
    if (!load) throw new UsageError(unknown(name));
    const command = await load();
    if (!wantsHelp(argv)) return await command.run(argv);
    process.stdout.write(formatHelp(command));
    return 0;
  } catch (error) {
    return report(error, name);
  }
}

async function printVersion(): Promise<number> {
  const { version } = await import("./version.ts");
  process.stdout.write(`${version}\n`);
  return 0;
}

/** Without a command it is a mistake: exit code 2 and standard error. */
async function printHelp(to: "stdout" | "stderr"): Promise<number> {
  const entries = await Promise.all(Object.values(commands).map((load) => load()));
  const width = Math.max(...entries.map(({ usage }) => usage.length));
  const lines = entries.map(
    ({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary.split("\n")[0]}`,
  );
  process[to].write(
    `Usage: mod-ts <command> [options]\n\nCommands:\n${lines.join("\n")}\n\n` +
      `"mod-ts <command> --help" says more; "mod-ts --version" which version this is.\n`,
  );
  return to === "stdout" ? 0 : 2;
}

function wantsHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end < 0 ? undefined : end).some((word) => /^(?:--help|-h)$/.test(word));
}

function unknown(name: string): string {
  const guess = closest(name, Object.keys(commands));
  return `there is no command ${name}${guess ? `; did you mean ${guess}?` : ""}`;
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
