/**
 * The shape that every command has, and the help that is generated from it.
 * @module
 */
import { parseArgs, type ParseArgsConfig } from "node:util";

/** One `--option` of a command: an entry for `parseArgs`, with the words for the help. */
export interface CommandOption {
  type: "string" | "boolean";
  /** One line, starting with a lower-case verb or noun. */
  description: string;
  /** One letter, for `-x`. */
  short?: string;
  /** May be given several times; the value is then an array. */
  multiple?: boolean;
  /** Value when the option is not given. Shown in the help. */
  default?: string | boolean | readonly string[];
  /** What stands for the value in the help, e.g. `file`. Default: the name of the option. */
  placeholder?: string;
}

/** A module of `commands/` exports this shape by name: `usage`, `summary`, `options`, `run`. */
export interface Command {
  /** What follows `mod-ts` on the command line, e.g. `conf [folder] [--install]`. */
  readonly usage: string;
  /** One sentence or more on what the command does. The first line stands in the list of commands. */
  readonly summary: string;
  /** The options, without `--help`, which every command has. */
  readonly options: Readonly<Record<string, CommandOption>>;
  /**
   * Runs the command with what follows its name on the command line and gives the exit code: 0 done, 1 failed,
   * 2 never (throw a {@link UsageError} instead). Errors of the registry may be thrown; `cli.ts` prints them.
   */
  run(argv: string[]): Promise<number>;
}

/** The command line itself is wrong: `cli.ts` prints the message and the way to the help, and exits with 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What {@link parseCommand} found. */
export interface ParsedCommand<Options extends Readonly<Record<string, CommandOption>>> {
  values: { [Name in keyof Options]?: OptionValue<Options[Name]> };
  positionals: string[];
}

type OptionValue<Option extends CommandOption> = Option extends { multiple: true }
  ? Option["type"] extends "boolean"
    ? boolean[]
    : string[]
  : Option["type"] extends "boolean"
    ? boolean
    : string;

/**
 * Reads `argv` by a command's table of options, which must be declared `as const`.
 * At most `maximum` words without a dash are allowed, 1 by default. Throws {@link UsageError}.
 */
export function parseCommand<const Options extends Readonly<Record<string, CommandOption>>>(
  options: Options,
  argv: readonly string[],
  maximum = 1,
): ParsedCommand<Options> {
  const { values, positionals } = parse(options, argv);
  if (positionals.length > maximum) {
    throw new UsageError(`unexpected argument: ${positionals[maximum]}`);
  }
  return { values: values as ParsedCommand<Options>["values"], positionals };
}

/** The text of `mod-ts <command> --help`. */
export function formatHelp({ usage, summary, options }: Omit<Command, "run">): string {
  const lines = Object.entries(options).map(([name, option]) => formatOption(name, option));
  const width = Math.max(...lines.map(([left]) => left.length), "-h, --help".length);
  const table = [...lines, ["-h, --help", "shows this"] as const].map(
    ([left, right]) => `  ${left.padEnd(width)}  ${right}`,
  );
  return `Usage: mod-ts ${usage}\n\n${summary}\n\nOptions:\n${table.join("\n")}\n`;
}

function formatOption(name: string, option: CommandOption): readonly [string, string] {
  const short = option.short ? `-${option.short}, ` : "    ";
  const value = option.type === "string" ? ` <${option.placeholder ?? name}>` : "";
  const notes = [
    ...(option.multiple ? ["may be given several times"] : []),
    ...(option.default === undefined || option.default === false || option.default === ""
      ? []
      : [`default: ${String(option.default)}`]),
  ];
  const note = notes.length > 0 ? ` (${notes.join("; ")})` : "";
  return [`${short}--${name}${value}`, `${option.description}${note}`];
}

function parse(
  options: Readonly<Record<string, CommandOption>>,
  argv: readonly string[],
): { values: Record<string, unknown>; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: options as NonNullable<ParseArgsConfig["options"]>,
      allowPositionals: true,
    });
    return { values, positionals };
  } catch (error) {
    // What Node adds is advice on arguments that begin with "-": no command here has any.
    const [message = ""] = (error as Error).message.split(". To specify");
    throw new UsageError(message, { cause: error });
  }
}
