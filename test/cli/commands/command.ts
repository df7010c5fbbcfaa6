import t from "tap";
import {
  type Command,
  formatHelp,
  parseCommand,
  UsageError,
} from "../../../src/cli/commands/command.ts";

const options = {
  port: { type: "string", short: "p", default: "80", description: "port to use" },
  header: { type: "string", multiple: true, placeholder: "line", description: "header" },
  install: { type: "boolean", default: false, description: "installs" },
} as const satisfies Command["options"];

t.test("parseCommand", async (t) => {
  const { values, positionals } = parseCommand(options, [
    "folder",
    "-p",
    "81",
    "--header",
    "a",
    "--header=b",
  ]);
  const port: string | undefined = values.port;
  const header: string[] | undefined = values.header;
  const install: boolean | undefined = values.install;
  t.same([port, header, install, positionals], ["81", ["a", "b"], false, ["folder"]]);
  t.equal(parseCommand(options, []).values.port, "80");
});

t.test("a wrong command line", async (t) => {
  for (const argv of [["--prt", "1"], ["--install=yes"], ["--port"], ["one", "two"]]) {
    t.throws(() => parseCommand(options, argv), UsageError, argv.join(" "));
  }
  t.throws(() => parseCommand(options, ["--bogus"]), { message: /^Unknown option '--bogus'$/ });
  t.throws(() => parseCommand({}, ["one"], 0), { message: "unexpected argument: one" });
});

t.test("formatHelp", async (t) => {
  t.equal(
    formatHelp({ usage: "conf [folder]", summary: "Does it.", options }),
    `Usage: mod-ts conf [folder]

Does it.

Options:
  -p, --port <port>    port to use (default: 80)
      --header <line>  header (repeatable)
      --install        installs
  -h, --help           show this help
`,
  );
});
