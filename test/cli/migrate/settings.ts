import t from "tap";
import { quote } from "../../../src/cli/migrate/settings.ts";
import { linesOf, migrateText } from "../../fixtures/migrated.ts";

/** Lines of mod_python in a section, and what is in force in their place. */
const inSection: readonly [string, readonly string[]][] = [
  ["PythonOption key value", ['Use TsOption key "value"']],
  ['PythonOption key "a b"', ['Use TsOption key "a b"']],
  ["PythonOption key", ["Use TsNoOption key"]],
  ["PythonDebug On", ["Use TsDebug On"]],
  ["PythonDebug Off", ["Use TsDebug Off"]],
  ["PythonInterpreter main_interpreter", []],
  ["PythonInterpreter www.example.org", ["Use TsInterpreter www-example-org"]],
  ["PythonInterpPerDirectory On", []],
  ["PythonInterpPerDirective On", []],
  ["PythonEnablePdb On", []],
  ["PythonAutoReload Off", []],
  [`PythonPath "['/a'] + sys.path"`, []],
];

t.test("settings of a section", (t) => {
  for (const [lines, expected] of inSection) {
    const { text, notes } = migrateText(t, `<Location "/x">\n${lines}\n</Location>\n`);
    t.same(linesOf(text).slice(1, -1), expected, lines);
    t.notOk(
      notes.some(({ level }) => level !== "done"),
      lines,
    );
    t.ok(text.includes(`#${lines}`), "the line is a comment");
  }
  t.end();
});

t.test("values that Apache reads in its own way", (t) => {
  for (const [value, written, hand] of [
    [String.raw`"a \"b\" c"`, String.raw`"a \\\"b\\\" c"`, 0],
    ["50%", '"50%%"', 0],
    ["a$1b", '"a$1b"', 1],
  ] as const) {
    const { text, notes } = migrateText(t, `PythonOption key ${value}\n`);
    t.same(linesOf(text), [`Use TsOption key ${written}`]);
    t.equal(notes.filter(({ level }) => level === "hand").length, hand, value);
  }
  t.equal(quote("a b"), '"a b"');
  t.end();
});

t.test("Attack: the report, which ends in logs, has no values of options", (t) => {
  const { notes } = migrateText(t, "PythonOption db_password hunter2\n");
  t.same(
    notes.map(({ text }) => text),
    ["PythonOption db_password -> TsOption"],
  );
  t.end();
});

t.test("options of mod_python itself are named", (t) => {
  const { notes } = migrateText(t, "PythonOption mod_python.session.cookie_name sid\n");
  t.match(notes.at(-1), { level: "hand", text: /sessions\.md/ });
  t.end();
});

t.test("directives of the server", (t) => {
  const { text, needs, files } = migrateText(
    t,
    `PythonPostReadRequestHandler first
PythonTransHandler second
PythonImport warm::start main
PythonImport \${SITE}/cold.py main
PythonOptimize On
PythonAutoReload Off
PythonInterpreter 0x
`,
    { "cold.py": "" },
  );
  t.same(linesOf(text), [
    "Use TsInitHandler first.ts",
    "Use TsTransHandler second.ts",
    "Use TsInterpreter pool-0x",
  ]);
  t.same([...needs.preload].length, 2);
  t.match(files[1]?.text, /freshness: "manual"/);
  t.match(files[1]?.text, /"pool-0x": \{ workers: 1 \}/);
  t.end();
});

t.test("a connection handler gets a socket of the sidecar, once Apache has left it", (t) => {
  const { files, notes } = migrateText(
    t,
    "<VirtualHost *:79>\nPythonConnectionHandler finger\n</VirtualHost>\n",
  );
  t.match(files[1]?.text, '  // connections: { "finger": { run: "finger.ts", port: 79 } },\n');
  const skeleton = files.find(({ path }) => path === "handlers/finger.ts")?.text;
  t.match(skeleton, "export function connectionHandler(_connection: Connection): Promise<void>");
  t.match(notes, [{ level: "closed" }]);
  t.end();
});
