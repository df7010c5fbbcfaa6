/** `auth`, `access` and `realm` of `mod_ts/publisher`: they fail closed, at every step. */
import t from "tap";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { passwords } from "../fixtures/handlers/publisher-guards/pub/open.ts";
import { startApache } from "../fixtures/httpd.ts";
import { publishedFolder } from "../fixtures/published-folder.ts";
import { until } from "../fixtures/until.ts";

const { hashed, digits } = passwords.auth;

const apache = await startApache(t, {
  conf: `
    ${publishedFolder}
    # Somebody whom Apache has established.
    <Location /pub/open.ts/known>
      AuthType Basic
      AuthName "Apache"
      AuthBasicProvider file
      AuthUserFile "\${FOLDER}/users"
      Require valid-user
    </Location>
  `,
  // Apache's user is bob.
  files: { users: "bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n" },
  handlers: handlerFiles("publisher-guards"),
});

const basic = (user: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});
const ask = (path: string, headers: Record<string, string> = {}) =>
  apache.request(`/pub/${path}`, { headers });
const status = async (path: string, headers?: Record<string, string>): Promise<number> =>
  (await ask(path, headers)).status;

t.test("a module with a guard, imported at that", async (t) => {
  t.match(await ask("module"), {
    status: 401,
    headers: { "www-authenticate": 'Basic realm="The \\"realm\\"", charset="UTF-8"' },
  });
  t.match(await ask("module", basic("ann", "secret")), { status: 200, body: "hello ann Basic" });
  t.equal(await status("module", basic("ann", "wrong")), 401);
  t.equal(await status("module/none"), 401, "who is not let in does not learn what there is");
  t.equal(await status("module/_private"), 401);
  t.equal(await status("module/none", basic("ann", "secret")), 404);
});

t.test("a function of it has one more, both must say yes", async (t) => {
  t.match(await ask("module/other", basic("bob", "secret")), {
    status: 401,
    headers: { "www-authenticate": /The/ },
  });
  t.match(await ask("module/other", basic("ann", "secret")), {
    status: 401,
    headers: { "www-authenticate": /"Other"/ },
  });
});

t.test("only true lets pass", async (t) => {
  const before = (await ask("open/count")).body;
  for (const name of [
    "no",
    "truthy",
    "text",
    "nothing",
    "promised",
    "missing",
    "nil",
    "word",
    "number",
    "array",
    "area/inner/page",
  ]) {
    t.equal(await status(`open/${name}`, basic("ann", "secret")), 401, name);
    t.equal(await status(`open/${name}`), 401, name);
  }
  for (const name of ["throws", "rejects", "unknownScheme", "noText", "empty"]) {
    t.equal(await status(`open/${name}`, basic("ann", "secret")), 500, name);
  }
  for (const name of ["denied", "truthyAccess", "missingAccess", "listAlone"]) {
    t.equal(await status(`open/${name}`, basic("ann", "secret")), 403, name);
  }
  t.equal(await status("closed", basic("ann", "secret")), 403);
  t.equal((await ask("open/count")).body, before, "nothing was called");
  const log = await until(() => apache.sidecarLog(), "MODTS_BAD_PASSWORD_LIST");
  t.match(log, "invalid password entry of ann: the scheme of the password is not known");
  t.notMatch(log, "$6$salt");
});

t.test("constants and functions that let pass", async (t) => {
  t.equal(await status("open/yes"), 200);
  t.equal(await status("open/allowed"), 200);
  t.equal(await status("open/asked"), 200, "nobody is null");
  t.equal(await status("open/later", basic("ann", "secret")), 200);
  t.equal(await status("open/room/page"), 401);
  t.match(await ask("open/room/page", basic("any", "any")), { body: "in the room" });
});

t.test("lists of passwords, plain or hashed", async (t) => {
  for (const [user, password, expected] of [
    ["ann", "secret", 200],
    ["ann", "secret2", 401],
    ["ann", "", 401],
    ["hashed", "secret", 200],
    ["hashed", hashed, 401],
    ["digits", digits, 200],
    ["digits", "secret", 401],
    ["nobody", "secret", 401],
    ["nobody", "", 401],
    ["__proto__", "secret", 401],
    ["constructor", "secret", 401],
    ["toString", "", 401],
  ] as const) {
    t.equal(await status("open/passwords", basic(user, password)), expected, `${user} ${password}`);
  }
});

t.test("objects on the way, and the realm that goes down", async (t) => {
  t.match(await ask("open/area/page"), {
    status: 401,
    headers: { "www-authenticate": /realm="Area"/ },
  });
  t.match(await ask("open/area/page", basic("ann", "secret")), { body: "in the area" });
  t.equal(await status("open/area/data"), 401);
  t.equal(await status("open/area/none"), 401);
  t.match(await ask("open/area/inner/page", basic("ann", "secret")), {
    status: 401,
    headers: { "www-authenticate": /realm="Area"/ },
  });
  t.equal(
    await status("open/area", basic("ann", "secret")),
    403,
    "an object with functions or guards is no data",
  );
});

t.test("access by name needs a name that somebody checked", async (t) => {
  t.equal(await status("open/list"), 401);
  t.equal(await status("open/list", basic("ann", "secret")), 200);
  t.equal(await status("open/list", basic("bob", "secret")), 403);
  t.equal(await status("open/listAlone", basic("ann", "any")), 403, "a header alone is no user");
});

t.test("the user of Apache stays the user", async (t) => {
  const bob = basic("bob", "secret");
  t.equal(await status("open.ts/known/page"), 401);
  t.match(await ask("open.ts/known/page", bob), { body: "known bob" });
  t.equal(await status("open.ts/known/guarded", bob), 200);
  t.match(await ask("open.ts/known/bobs", bob), { body: "for bob" });
});

t.test("a header that is not asked for is not looked at", async (t) => {
  for (const authorization of ["Digest x", "Basic !!!", "Bearer abc", ""]) {
    t.match(await ask("open/free", { authorization }), { status: 200, body: "free null" });
    t.match(await ask("open/reads", { authorization }), { body: authorization });
  }
});

t.test("a malformed one where it is", async (t) => {
  for (const [authorization, expected] of [
    ["Basic !!!", 400],
    ["Basic", 400],
    ["Basic YW5u", 400],
    [`Basic ${Buffer.from("ann:se\0cret").toString("base64")}`, 400],
    ["Bearer abc", 401],
    ["Digest username=ann", 401],
    ["Basicx YTpi", 401],
  ] as const) {
    t.equal(await status("module", { authorization }), expected, authorization);
  }
});
