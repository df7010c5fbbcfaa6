/** The registry of errors, and the page that explains it: whoever adds a code writes its section. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type ErrorCode, errorRegistry, isModTsError, ModTsError } from "../src/errors.ts";
import { logLevels } from "../src/log.ts";

const page = readFileSync(join(import.meta.dirname, "../docs/errors.md"), "utf8");

/** The fields of each section, by code. */
const sections = Object.fromEntries(
  page
    .split(/^### /m)
    .slice(1)
    .map((section) => [
      section.slice(0, section.indexOf("\n")),
      Object.fromEntries(
        [...section.matchAll(/^- (\w+): (.*)$/gm)].map(([, name = "", text = ""]) => [name, text]),
      ),
    ]),
);

const codes = Object.keys(errorRegistry);
const shown = (message: string): string => `\`${message.replaceAll("\n", "\\n")}\``;

t.test("page and registry hold the same codes", async (t) => {
  t.strictSame(Object.keys(sections).toSorted(), codes.toSorted());
});

t.test("each section says what the code says, and what to do", async (t) => {
  for (const [code, entry] of Object.entries(errorRegistry)) {
    const section = sections[code] ?? {};
    t.equal(section["Severity"], entry.level, code);
    t.equal(section["Status"], String(entry.status), code);
    t.equal(section["Message"], shown(entry.message), code);
    for (const name of ["Cause", "Outcome", "Action"]) {
      t.match(section[name], /^[A-Z`].+[.)]$/, `${code}: ${name}`);
    }
  }
});

t.test("each message leads to its code", async (t) => {
  const rows = [...page.matchAll(/^\| `(.+?)`\s*\| \[(\w+)\]\(#(\w+)\)\s*\|$/gm)];
  t.strictSame(rows.map(([, , code]) => code).toSorted(), codes.toSorted());
  for (const [, message, code = "", anchor] of rows) {
    t.equal(`\`${message}\``, shown(errorRegistry[code]?.message ?? ""), code);
    t.equal(anchor, code.toLowerCase());
  }
});

t.test("entries are well made", async (t) => {
  for (const [code, { status, level, message }] of Object.entries(errorRegistry)) {
    t.match(code, /^MODTS_[A-Z_]+$/);
    t.ok(logLevels.includes(level), code);
    t.ok(status === 0 || (status >= 400 && status <= 599), code);
    t.notMatch(message, /[.!]$/, `${code}: a log line is no sentence`);
  }
});

t.test("an error has its parameters in place, and keeps its cause", async (t) => {
  const cause = new Error("why");
  const error = new ModTsError("MODTS_BAD_URL", { reason: "$& {other}" }, { cause });
  t.match(error, { name: "ModTsError", code: "MODTS_BAD_URL", status: 400, level: "info", cause });
  t.equal(error.message, "malformed URL: $& {other}");
  t.match(new ModTsError("MODTS_BAD_URL").message, "{reason}", "a forgotten one is easy to see");
  t.match(new ModTsError("MODTS_WORKER_DIED", { pid: 7 }).message, "worker 7 of {pool}");
});

t.test("is recognised by name and code: a module may carry a second copy", async (t) => {
  class Copy extends Error {
    override readonly name = "ModTsError";
    code: string;
    constructor(code: string) {
      super(code);
      this.code = code;
    }
  }
  t.ok(isModTsError(new ModTsError("MODTS_BAD_URL" satisfies ErrorCode)));
  t.ok(isModTsError(new Copy("MODTS_BAD_URL")));
  t.notOk(isModTsError(new Copy("MODTS_NO_SUCH_CODE")));
  t.notOk(isModTsError(new Copy("toString")));
  for (const value of [new Error("MODTS_BAD_URL"), { code: "MODTS_BAD_URL" }, null, undefined]) {
    t.notOk(isModTsError(value));
  }
});
