import t from "tap";
import { parseConfigTree } from "../../src/httpd/config-tree.ts";
import {
  grantsAll,
  grantsNothing,
  limitsOf,
  needsUser,
  requiresOf,
} from "../../src/httpd/require-lines.ts";

const requires = (text: string) => requiresOf(parseConfigTree(text), undefined);
const inside = (name: string, ...lines: string[]): string =>
  `<${name} >\n${lines.map((line) => `  ${line}`).join("\n")}\n</${name}>`;

t.test("lines that grant everything", async (t) => {
  for (const [text, expected] of [
    ["Require all granted", true],
    ["Require ALL Granted", true],
    ["Require valid-user\nRequire all granted", true],
    [inside("RequireAny", "Require user a", "Require all granted"), true],
    [inside("RequireAll", "Require all granted"), true],
    [inside("RequireAll", "Require all granted", "Require ip 10"), false],
    [inside("RequireNone", "Require all granted"), false],
    ["Require all denied", false],
    ["Require not all granted", false],
    ["", false],
  ] as const) {
    t.equal(grantsAll(requires(text)), expected, text);
  }
});

t.test("lines that grant nothing", async (t) => {
  t.ok(grantsNothing(requires("Require all denied\nRequire all denied")));
  t.notOk(grantsNothing(requires("Require all denied\nRequire valid-user")));
  t.ok(grantsNothing(requires("Options None")), "no line at all");
});

t.test("lines that httpd cannot decide without a user", async (t) => {
  for (const [text, expected] of [
    ["Require valid-user", true],
    ["Require not user ann", true],
    ["Require group staff", true],
    ["Require ip 10.0.0.0/8", false],
    ["Require not env blocked", false],
    ["Require local", false],
    [`Require expr %{REMOTE_USER} == 'a'`, true],
    [`Require expr %{HTTP_HOST} == 'a'`, false],
    [inside("RequireAll", "Require all granted", "Require valid-user"), true],
    [inside("RequireAny", "Require local"), false],
  ] as const) {
    t.equal(needsUser(requires(text)), expected, text);
  }
});

t.test("methods with lines of their own", async (t) => {
  const text = `${inside("Limit get POST", "Require valid-user")}
${inside("LimitExcept GET", "Require all denied")}
${inside("Limit PUT", "Options None")}`.replaceAll(" >", ">");
  t.match(limitsOf(parseConfigTree(text), undefined), [
    { except: false, methods: ["GET", "POST"], requires: { length: 1 } },
    { except: true, methods: ["GET"], requires: { length: 1 } },
  ]);
  t.equal(limitsOf(parseConfigTree(text), undefined).length, 2, "one without Require says nothing");
});
