import t from "tap";
import { version } from "../../src/base/version.ts";
import { modTs } from "../fixtures/mod-ts.ts";

t.test("help and version", async (t) => {
  const [help, none, one, number] = await Promise.all([
    modTs("--help"),
    modTs(),
    modTs("run", "--help"),
    modTs("--version"),
  ]);
  t.match(help, { code: 0, stdout: /start \[directory\] .*Starts the sidecar/, stderr: "" });
  t.match(none, { code: 2, stdout: "", stderr: /Usage: mod-ts <command>/ });
  t.match(one, { code: 0, stdout: /--header <name: value>/ });
  t.match(number, { code: 0, stdout: `${version}\n` });
});

t.test("mistakes on the command line exit with 2, others with 1", async (t) => {
  const [unknown, option, proto, missing] = await Promise.all([
    modTs("strat"),
    modTs("reload", "--frce"),
    modTs("constructor"),
    modTs("start", "/no/such/folder"),
  ]);
  t.match(unknown, { code: 2, stderr: /strat\b.*\bstart\?/ });
  t.match(option, { code: 2, stderr: /See: mod-ts reload --help/ });
  t.match(proto, { code: 2, stderr: /constructor/ });
  t.match(missing, { code: 1, stderr: /MODTS_CONFIG_UNREADABLE: .*\/no\/such\/folder/ });
  t.notMatch(missing.stderr, /\n +at /, "no stack trace for a mistake of the operator");
});
