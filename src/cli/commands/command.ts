/** The shape of a command, its parser, and its generated help. */
import { parseArgs, type ParseArgsConfig } from "node:util";

/** One `--option` of a command: an entry for `parseArgs`, with its help text. */
export interface CommandOption {
  type: "string" | "boolean";
  /** One line, starting with a lower-case verb or noun. */
  description: string;
  /** One letter, for `-x`. */
  short?: string;
  /** May be repeated; the value is an array. */
  multiple?: boolean;
  /** Default, shown in the help. */
  default?: string | boolean | readonly string[];
  /** Name of the value in the help. @default the name of the option */
  placeholder?: string;
}

/** Exports of a module of `commands/`. */
export interface Command {
  /** E.g. `conf [directory] [--install]`. */
  readonly usage: string;
  /** Its first line is shown in the list of commands. */
  readonly summary: string;
  /** Without `--help`, which every command has. */
  readonly options: Readonly<Record<string, CommandOption>>;
  /**
   * Returns the exit code: 0 success, 1 failure. Throws {@link UsageError} for exit code 2, or an
   * error of the registry; `cli.ts` prints them.
   */
  run(argv: string[]): Promise<number>;
}

/** Invalid command line: `cli.ts` prints the message and exits with 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

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
 * @param options declared `as const`
 * @param maximum number of positional arguments
 * @throws UsageError
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
  const table = [...lines, ["-h, --help", "show this help"] as const].map(
    ([left, right]) => `  ${left.padEnd(width)}  ${right}`,
  );
  return `Usage: mod-ts ${usage}\n\n${summary}\n\nOptions:\n${table.join("\n")}\n`;
}

function formatOption(name: string, option: CommandOption): readonly [string, string] {
  const short = option.short ? `-${option.short}, ` : "    ";
  const value = option.type === "string" ? ` <${option.placeholder ?? name}>` : "";
  const notes = [
    ...(option.multiple ? ["repeatable"] : []),
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
    // Node.js adds advice on arguments that begin with "-", which no command has.
    const [message = ""] = (error as Error).message.split(". To specify");
    throw new UsageError(message, { cause: error });
  }
}
