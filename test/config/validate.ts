import t from "tap";
import { findMistakes } from "../../src/config/validate.ts";

t.test("sound configurations", async (t) => {
  t.same(findMistakes({}), []);
  t.same(
    findMistakes({
      handlers: ["a", "b"],
      run: "/run/x",
      listen: { host: "::1", port: 9700 },
      socketGroup: "www-data",
      secret: "0123456789abcdef",
      pools: { main: { workers: 2 }, "admin-2": { workers: 1 } },
      limits: { headerBytes: 8192, bodyBytes: 0 },
      reload: { freshness: "manual", watch: { poll: 100 } },
      auth: { wiki: { convention: "original", authen: "a.ts b.ts", options: { "a.b": "c d" } } },
      keepAlive: 0,
      log: { level: "debug" },
      development: true,
    }),
    [],
  );
  t.same(findMistakes({ run: undefined, reload: { watch: false } }), []);
});

t.test("auth", async (t) => {
  t.same(
    findMistakes({
      auth: { "a/b": { convention: "x", acess: "a.ts", options: { "a b": 1 } }, c: {} },
    }),
    [
      "auth.a/b: a name is a letter and up to 31 letters, digits, - or _",
      'auth.a/b.convention must be one of forwarded, original, path, but is "x"',
      "auth.a/b.acess is not an option; did you mean access?",
      "auth.a/b.options.a b: must not contain white space",
      "auth.a/b.options.a b must be a string, but is 1",
      "auth.c.convention is missing",
    ],
  );
});

t.test("every mistake is found, each with its place", async (t) => {
  const mistakes = findMistakes({
    handler: ["."],
    handlers: [],
    run: 5,
    listen: { host: "0.0.0.0" },
    secret: "short",
    pools: { "../x": { workers: 0 } },
    limits: { bodybytes: 1, handlerTimeout: 1.5 },
    reload: { freshness: "always", watch: "yes" },
    log: { level: "verbose" },
    keepAlive: -1,
    development: "true",
  });
  t.same(mistakes, [
    "handler is not an option; did you mean handlers?",
    "handlers must not be empty",
    "run must be a string, but is 5",
    "listen.port is missing",
    "secret must have at least 16 characters",
    "pools.../x: a name is a letter and up to 31 letters, digits, - or _",
    "pools.../x.workers must be from 1 to 512, but is 0",
    "limits.bodybytes is not an option; did you mean bodyBytes?",
    "limits.handlerTimeout must be a whole number, but is 1.5",
    'reload.freshness must be one of request, manual, but is "always"',
    'reload.watch must be true, false or { poll: milliseconds }, but is "yes"',
    'log.level must be one of emerg, alert, crit, error, warn, notice, info, debug, but is "verbose"',
    "keepAlive must be from 0 to 86400000, but is -1",
    'development must be true or false, but is "true"',
  ]);
});

t.test("what is no configuration at all", async (t) => {
  t.same(findMistakes(undefined), ["the configuration must be an object, but is undefined"]);
  t.same(findMistakes([]), ["the configuration must be an object, but is a list"]);
  t.same(
    findMistakes(() => {}),
    ["the configuration must be an object, but is a function"],
  );
  t.same(findMistakes({ pools: null, handlers: "." }), [
    "pools must be an object, but is null",
    'handlers must be a list, but is "."',
  ]);
});

t.test("names of Object.prototype are not options", async (t) => {
  t.match(findMistakes({ constructor: 1 }), [/^constructor is not an option/]);
  t.match(findMistakes(JSON.parse('{"__proto__": 1}')), [/^__proto__ is not an option/]);
});

t.test("a secret in the wrong place is not shown", async (t) => {
  const text = findMistakes({ keepAlive: "correct horse battery" }).join();
  t.notMatch(text, /horse/);
  t.notMatch(findMistakes({ secret: "shortsecret" }).join(), /shortsecret/);
});
