import t from "tap";
import {
  holdsPassword,
  oncePerSection,
  SectionOptions,
  setSecrets,
} from "../../src/base/options.ts";

const options = new SectionOptions(
  {
    "mod_ts.jwt.text": "a b",
    "mod_ts.jwt.n": "12",
    "mod_ts.jwt.x": "1x",
    "mod_ts.jwt.url": "https://a.example/b?c=",
    "mod_ts.jwt.ftp": "ftp://a.example/",
    "mod_ts.jwt.credentials": "http://u:hunter2@a.example/",
    "mod_ts.jwtx.other": "1",
    text: "another handler's",
  },
  "jwt",
);
const fails = (name: string) => ({
  code: "MODTS_BAD_OPTION",
  status: 500,
  message: new RegExp(`^invalid option mod_ts\\.jwt\\.${name}: `),
});

t.test("values", async (t) => {
  t.equal(options.text("text"), "a b");
  t.equal(options.text("none"), undefined);
  t.equal(options.text("none", "fallback"), "fallback");
  t.strictSame(options.words("text"), ["a", "b"]);
  t.strictSame(options.words("none"), []);
  t.equal(options.number("n", 5, [1, 20]), 12);
  t.equal(options.number("none", 5, [1, 20]), 5);
  t.equal(options.url("url")?.href, "https://a.example/b?c=");
  t.equal(options.url("none"), undefined);
  t.equal(options.flag("none"), false);
  t.equal(options.required("n", ""), "12");
});

t.test("passwords by reference", async (t) => {
  const references = new SectionOptions(
    {
      "mod_ts.sql.dsn": "secret:db",
      "mod_ts.sql.env": "env:MOD_TS_TEST_PASSWORD",
      "mod_ts.sql.missing": "secret:none",
      "mod_ts.sql.unset": "env:MOD_TS_TEST_UNSET",
      "mod_ts.sql.inherited": "secret:toString",
      "mod_ts.sql.text": "secret:a b",
    },
    "sql",
  );
  setSecrets({ db: "mysql://app:hunter2@db/x" });
  process.env["MOD_TS_TEST_PASSWORD"] = "word";
  t.equal(references.text("dsn"), "mysql://app:hunter2@db/x");
  t.equal(references.required("env", ""), "word");
  for (const key of ["missing", "unset", "inherited"]) {
    t.throws(() => references.text(key, "fallback"), { code: "MODTS_BAD_OPTION" }, key);
  }
  t.equal(references.text("text"), "secret:a b");
  setSecrets({});
});

t.test("a URL with a password", async (t) => {
  for (const text of ["mysql://app:word@db/x", "redis://:word@127.0.0.1", "postgres://a:b%40@h"]) {
    t.ok(holdsPassword(text), text);
  }
  for (const text of ["mysql://app@db/x", "http://h:80/a@b", "secret:db", "/a:b@c"]) {
    t.notOk(holdsPassword(text), text);
  }
});

t.test("mistakes name the option, and repeat no password", async (t) => {
  t.throws(() => options.required("none", "hint"), fails("none"));
  t.throws(() => options.required("none", "hint"), /"Use TsOption \S+\.none …" sets it: hint/);
  t.throws(() => options.number("n", 5, [1, 11]), fails("n"));
  t.throws(() => options.number("x", 5, [1, 20]), fails("x"));
  t.throws(() => options.flag("text"), fails("text"));
  t.throws(() => options.url("text"), fails("text"));
  t.throws(() => options.url("ftp"), fails("ftp"));
  t.throws(() => options.url("credentials"), fails("credentials"));
  try {
    options.url("credentials");
  } catch (error) {
    t.notMatch((error as Error).message, /hunter2/);
  }
});

t.test("a misspelt option is an error, another handler's is none of its business", async (t) => {
  t.throws(() => options.allowOnly("text", "n", "x", "url", "ftp"), fails("credentials"));
  options.allowOnly("text", "n", "x", "url", "ftp", "credentials");
});

t.test("a section is read once", async (t) => {
  let count = 0;
  const read = oncePerSection(() => (count += 1));
  const [first, second] = [{}, {}];
  t.strictSame([read(first), read(first), read(second), read(first)], [1, 1, 2, 1]);
});

t.test("a value of its own, or the text of a file", async (t) => {
  const directory = t.testdir({ dsn: "mysql://db/x\n" });
  const read = (values: Record<string, string>): string | undefined =>
    new SectionOptions(values, "sql").textOrFile("dsn", directory);
  t.equal(read({ "mod_ts.sql.dsn": "sqlite:a" }), "sqlite:a");
  t.equal(read({ "mod_ts.sql.dsn": "sqlite:a", "mod_ts.sql.dsn_file": "dsn" }), "mysql://db/x");
  t.equal(read({}), undefined);
  t.throws(() => read({ "mod_ts.sql.dsn_file": "gone" }), {
    code: "MODTS_BAD_OPTION",
    message: /mod_ts\.sql\.dsn_file: ENOENT/,
  });
});
