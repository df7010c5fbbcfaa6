/** The error log: Apache's format, one line a line, whatever is logged. */
import t from "tap";
import { logChannel } from "../../src/base/channels.ts";
import {
  errorDetails,
  formatLogRecord,
  formatShortLogRecord,
  log,
  logLevels,
  stackLines,
  textOf,
} from "../../src/base/log.ts";
import { subscribeLog } from "../fixtures/subscribe-log.ts";

const now = new Date(2026, 10, 22, 10, 35, 38, 7);
const format = (record: Parameters<typeof formatLogRecord>[0]): string =>
  formatLogRecord(record, now);

t.test("the format of httpd's own error log", async (t) => {
  const head = `[Sun Nov 22 10:35:38.007 2026] [mod_ts:notice] [pid ${process.pid}]`;
  t.equal(format({ level: "notice", message: "text" }), `${head} text\n`);
  t.equal(
    format({ level: "notice", message: "text", client: "::1:80", code: "CODE", uniqueId: "id" }),
    `${head} [client ::1:80] CODE: text [id id]\n`,
  );
});

t.test("the short format: no line of an error looks like another record", async (t) => {
  const error = Object.assign(new Error("x\n12:00:00 error fake\r"), { stack: "" });
  error.stack = `Error: ${error.message}\n    at f (/srv/a.ts:1:2)`;
  t.equal(
    formatShortLogRecord(
      { level: "warn", message: "m", code: "CODE", client: "::1:80", error },
      now,
    ),
    "10:35:38 warn CODE: m\n  Error: x\n  12:00:00 error fake\\x0d\n      at f (/srv/a.ts:1:2)\n",
  );
});

t.test("nobody writes a line of his own: control characters are escaped", async (t) => {
  const text = format({ level: "error", message: "a\r\nb\0c\x1b[31md\x7f\te" });
  t.equal(text.split("\n").length, 2);
  t.match(text, "a\\x0d\\x0ab\\x00c\\x1b[31md\\x7f\te");
  const client = format({ level: "error", message: "m", error: new Error("x\n[fake] line\r") });
  for (const line of client.trimEnd().split("\n"))
    t.match(line, /^\[Sun Nov 22 .* \[mod_ts:error\]/);
  t.notMatch(client, "\r");
});

t.test("an error with its stack and its causes, a line each", async (t) => {
  const error = new TypeError("outer", { cause: new Error("inner", { cause: "text" }) });
  const lines = format({ level: "error", message: "failed", error }).split("\n");
  t.match(lines[0], /failed$/);
  t.match(lines[1], /TypeError: outer$/);
  t.ok(lines.some((line) => / {3}at /.test(line)));
  t.ok(lines.some((line) => line.includes("caused by Error: inner")));
  t.ok(lines.some((line) => line.includes("caused by thrown: text")));
});

t.test(
  "whatever was thrown is written, and nothing is thrown at the one who logs it",
  async (t) => {
    const loop = new Error("loop");
    loop.cause = loop;
    const hostile = Object.assign(new Error("hostile"), { stack: 7 });
    const worse = new Error("worse");
    Object.defineProperty(worse, "stack", {
      get() {
        throw new Error("no");
      },
    });
    const angry = {
      toString: () => {
        throw new Error("no");
      },
    };
    const things = [null, 7, "a\nb", 1n, Symbol("s"), {}, [], () => 0, Object.create(null), angry];
    for (const error of [...things, loop, hostile, worse, new Proxy({}, {})]) {
      const text = format({ level: "error", message: "m", error });
      t.match(text, /\n.*mod_ts:error/, textOf(error));
      t.ok(text.length < 20_000);
    }
  },
);

t.test("own properties and inner errors are shown, unless the message has them", async (t) => {
  const error = Object.assign(new Error("duplicate key"), {
    code: "23505",
    detail: "Key (email) already exists.",
    client: { password: "secret" },
  });
  t.same(errorDetails(error), ["code: 23505", "detail: Key (email) already exists."]);
  const aggregate = new AggregateError([new Error("first"), "second"], "all rejected");
  t.same(errorDetails(aggregate), ["errors[0]: first", "errors[1]: second"]);
  const file = Object.assign(new Error("ENOENT: no such file, open '/a'"), {
    errno: -2,
    code: "ENOENT",
    path: "/a",
  });
  t.same(errorDetails(file), [], "the message has it all");
  t.ok(stackLines(error).includes("code: 23505"), "in the log, below the stack");
});

t.test("what was thrown, in words", async (t) => {
  t.equal(textOf(new Error("message")), "message");
  t.equal(textOf(new TypeError()), "TypeError");
  t.equal(textOf("text"), "text");
  t.equal(textOf(undefined), "undefined");
  t.match(textOf({ a: 1 }), "a: 1");
  t.match(
    textOf({
      [Symbol.for("nodejs.util.inspect.custom")]: () => {
        throw new Error("no");
      },
    }),
    /shown/,
  );
});

t.test("frames of ours behind the last frame of the author are left out", async (t) => {
  const home = new URL("../../src/", import.meta.url).href;
  const error = new Error("e");
  error.stack = [
    "Error: e",
    "    at deep (node:fs:1:1)",
    "    at handler (/srv/a.ts:1:1)",
    `    at Run.call (${home}phases.ts:1:1)`,
    "    at process (node:internal:1:1)",
  ].join("\n");
  const text = format({ level: "error", message: "m", error });
  t.match(text, /node:fs[^]*\/srv\/a\.ts/);
  t.notMatch(text, /phases\.ts|node:internal/);
});

t.test("a subscriber gets its level and what is more severe, until it stops", async (t) => {
  const seen: string[] = [];
  const stop = subscribeLog("warn", (text) => seen.push(text));
  for (const level of logLevels) log(level, level);
  stop();
  log("emerg", "too late");
  t.strictSame(
    seen.map((line) => /mod_ts:(\w+)/.exec(line)?.[1]),
    ["emerg", "alert", "crit", "error", "warn"],
  );
  t.notOk(logChannel.hasSubscribers, "and nothing is formatted any more");
});
