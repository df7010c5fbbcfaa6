/** The registry of errors, and its page: each code has a section. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type ErrorCode, errorRegistry, isModTsError, ModTsError } from "../../src/base/errors.ts";
import { logLevels } from "../../src/base/log.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/errors.md"), "utf8");

/** The sections of the page by code: heading line, then sentences. */
const sections = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((section) =>
      section
        .replace(/^## [^]*/m, "")
        .split("\n")
        .filter(Boolean),
    )
    .map(([code = "", heading = "", ...sentences]) => [code, { heading, sentences }] as const),
);

t.test("page and registry have the same codes", async (t) => {
  t.strictSame([...sections.keys()].toSorted(), Object.keys(errorRegistry).toSorted());
});

t.test(
  "each section has the level, status and message of the code, then cause and fix",
  async (t) => {
    for (const [code, { status, level, message }] of Object.entries(errorRegistry)) {
      const { heading, sentences = [] } = sections.get(code) ?? {};
      const shown = message.replaceAll("\n", "\\n");
      t.equal(heading, `${level}, status ${status}: \`${shown}\``, code);
      t.ok(sentences.length >= 2, `${code}: at least two sentences`);
      for (const sentence of sentences) t.match(sentence, /^[A-Z`].+[.]$/, `${code}: ${sentence}`);
    }
  },
);

t.test("entries are well made", async (t) => {
  for (const [code, { status, level, message }] of Object.entries(errorRegistry)) {
    t.match(code, /^MODTS_[A-Z_]+$/);
    t.ok(logLevels.includes(level), code);
    t.ok(status === 0 || (status >= 400 && status <= 599), code);
    t.notMatch(message, /^it\b|[.!]$/, `${code}: a log line is not a sentence`);
  }
});

t.test("an error has its parameters in place, and keeps its cause", async (t) => {
  const cause = new Error("why");
  const error = new ModTsError("MODTS_BAD_URL", { reason: "$& {other}" }, { cause });
  t.match(error, { name: "ModTsError", code: "MODTS_BAD_URL", status: 400, level: "info", cause });
  t.equal(error.message, "malformed URL: $& {other}");
  t.match(new ModTsError("MODTS_BAD_URL").message, "{reason}", "a forgotten one is easy to see");
  t.match(new ModTsError("MODTS_WORKER_DIED", { pid: 7 }).message, "worker 7 of pool {pool}");
});

t.test("is recognized by name and code: a module may carry a second copy", async (t) => {
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
