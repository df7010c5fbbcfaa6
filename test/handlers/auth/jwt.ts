/** `mod_ts/jwt` behind the real gateway and engine; keys from a file, a secret, and an issuer that rotates. */
import { createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type JWTPayload, SignJWT } from "jose";
import t, { type Test } from "tap";
import { createJwt } from "../../../src/handlers/auth/jwt.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";
import { startAuthService } from "../../fixtures/auth-service.ts";
import { type GatewayReply, startEngine } from "../../fixtures/gateway.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
const curve = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = publicKey.export({ type: "spki", format: "pem" }) as string;
const secretText = "0123456789abcdef0123456789abcdef";

const jwk = (key: KeyObject, kid: string): JsonWebKey & { kid: string } => ({
  ...createPublicKey(key).export({ format: "jwk" }),
  kid,
});

interface Signing {
  key?: KeyObject | Uint8Array;
  alg?: string;
  kid?: string;
  expires?: number | string;
  header?: object;
}

const claims: JWTPayload = { iss: "https://id.example/", aud: "api", sub: "ann" };

function sign(
  more: JWTPayload = {},
  { key = privateKey, alg = "RS256", kid, expires = "1h", header }: Signing = {},
): Promise<string> {
  const token = new SignJWT({ ...claims, ...more }).setProtectedHeader({
    alg,
    ...(kid && { kid }),
    ...header,
  });
  return (expires ? token.setExpirationTime(expires) : token).sign(key);
}

/** A token whose parts are whatever they are. */
const raw = (header: object, payload: object, signature = ""): string =>
  [header, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".") + `.${signature}`;

const inAnHour = Math.floor(Date.now() / 1000) + 3600;

const app = {
  handler(req: ApacheRequest): number {
    req.contentType = "application/json";
    req.write(
      JSON.stringify({
        user: req.user,
        auth: req.authType,
        ...req.notes.toJSON(),
        env: req.subprocessEnv,
      }),
    );
    return 0;
  },
};

type Ask = (
  token?: string,
  more?: readonly string[],
  headers?: Record<string, string>,
) => Promise<GatewayReply>;

const option = (key: string, value: string): string => `option mod_ts.jwt.${key} ${value}`;
const rules = [option("issuer", "https://id.example/"), option("audience", "api other")];

async function start(
  t: Test,
  source: string,
  phases = "authen",
): Promise<{ ask: Ask; folder: string; log(): string }> {
  const folder = shortFolder(t, { "key.pem": pem, secret: `${secretText}\n` });
  const engine = await startEngine(t, { jwt: createJwt(folder), app });
  const lines = [
    ...phases.split(" ").map((phase) => `${phase} mod_ts/jwt`),
    "handler mod_ts/app",
    source,
    ...rules,
  ];
  return {
    folder,
    log: () => engine.log(),
    ask: (token, more = [], headers = {}) => {
      const all = token === undefined ? headers : { authorization: `Bearer ${token}`, ...headers };
      return engine.ask([...lines, ...more], { headers: all });
    },
  };
}

t.test("the header by name, then the cookie; Authorization is the application's", async (t) => {
  const { ask } = await start(t, option("key", "key.pem"));
  const good = await sign();
  const bad = await sign({ aud: "another" });
  const more = [option("header", "Cf-Access-Jwt-Assertion"), option("cookie", "CF_Authorization")];
  for (const [headers, status] of [
    [{ "Cf-Access-Jwt-Assertion": good, Authorization: "Bearer of the application" }, 200],
    [{ "Cf-Access-Jwt-Assertion": `Bearer ${good}` }, 200],
    [{ Cookie: `CF_Authorization=${good}`, Authorization: "Bearer x" }, 200],
    [{ "Cf-Access-Jwt-Assertion": bad, Cookie: `CF_Authorization=${good}` }, 401],
    [{ "Cf-Access-Jwt-Assertion": good, Cookie: `CF_Authorization=${bad}` }, 200],
    [{ Authorization: `Bearer ${good}` }, 401],
    [{}, 401],
  ] as [Record<string, string>, number][]) {
    t.equal((await ask(undefined, more, headers)).status, status, JSON.stringify(headers));
  }
  const both = [option("header", "X-Token Authorization")];
  t.equal((await ask(good, both)).status, 200);
  t.equal((await ask(good, both, { "X-Token": bad })).status, 401);
  t.equal((await ask(undefined, [], { Authorization: good })).status, 401, "no scheme");
});

t.test("the first claim that names a user", async (t) => {
  const { ask } = await start(t, option("key", "key.pem"));
  const user = option("user", "email common_name");
  for (const [more, expected] of [
    [{ sub: "", common_name: "bot" }, "bot"],
    [{ email: "", common_name: "bot" }, "bot"],
    [{ email: "ann@x", common_name: "bot" }, "ann@x"],
  ] as const) {
    const reply = await ask(await sign(more), [user]);
    t.match(JSON.parse(reply.body), { user: expected });
    t.equal(reply.headers["cache-control"], "private");
  }
  t.equal((await ask(await sign(), [user])).status, 401);
});

t.test("a valid token: user, groups, claims", async (t) => {
  const { ask } = await start(t, option("key", "key.pem"));
  const reply = await ask(
    await sign({ groups: ["staff", "a,admins"], email: "ann@x", name: "Ann" }),
  );
  t.equal(reply.status, 200);
  t.match(JSON.parse(reply.body), {
    user: "ann",
    auth: "Bearer",
    groups: "staff",
    email: "ann@x",
    env: { REMOTE_GROUPS: "staff", REMOTE_EMAIL: "ann@x", REMOTE_NAME: "Ann" },
  });
  t.equal((await ask(await sign({ aud: ["x", "other"] }))).status, 200);
  t.equal((await ask(undefined, [], { authorization: `bEARER  ${await sign()}` })).status, 200);
  const mapped = [
    option("user", "preferred_username"),
    option("claims", "tenant.id=TENANT"),
    option("groups_claim", "realm_access.roles"),
  ];
  const named = await ask(
    await sign({ preferred_username: "anna", tenant: { id: 7 }, realm_access: { roles: ["r"] } }),
    mapped,
  );
  t.match(JSON.parse(named.body), { user: "anna", tenant: "7", groups: "r", env: { TENANT: "7" } });
});

t.test("no token: a challenge without an error; never from the query", async (t) => {
  const { ask } = await start(t, option("key", "key.pem"));
  for (const headers of [
    {},
    { authorization: "Basic YTpi" },
    { authorization: "Bearer" },
    { authorization: "Bearer a b" },
    { cookie: `token=${await sign()}` },
  ]) {
    const reply = await ask(undefined, [], headers);
    t.match(reply, {
      status: 401,
      headers: { "www-authenticate": 'Bearer realm="www.example.org"' },
    });
  }
});

t.test("what is not valid is 401 invalid_token", async (t) => {
  const { ask, log } = await start(t, option("key", "key.pem"));
  const now = Math.floor(Date.now() / 1000);
  const good = await sign();
  const [head = "", body = "", signature = ""] = good.split(".");
  const forgedBody = Buffer.from(
    JSON.stringify({ ...claims, sub: "root", exp: inAnHour }),
  ).toString("base64url");
  const cases: Record<string, string> = {
    "alg none": raw({ alg: "none" }, { ...claims, exp: inAnHour }),
    "alg None": raw({ alg: "None" }, { ...claims, exp: inAnHour }),
    "alg none with a signature": raw({ alg: "none" }, { ...claims, exp: inAnHour }, signature),
    "the public key as an HS256 secret": await sign({}, { key: Buffer.from(pem), alg: "HS256" }),
    "another key": await sign({}, { key: other.privateKey }),
    "another kind of key": await sign({}, { key: curve.privateKey, alg: "ES256" }),
    "another body": [head, forgedBody, signature].join("."),
    "no signature": `${head}.${body}.`,
    "two parts": `${head}.${body}`,
    "four parts": `${good}.x`,
    "no JSON": "YQ.YQ.YQ",
    expired: await sign({}, { expires: now - 31 }),
    "no end": await sign({}, { expires: "" }),
    "not yet": await sign({ nbf: now + 60 }),
    "another issuer": await sign({ iss: "https://id.example" }),
    "another audience": await sign({ aud: "apis" }),
    "no audience": await sign({ aud: [] }),
    "an unknown critical header": raw({ alg: "RS256", crit: ["x"], x: 1 }, claims, signature),
    "a key of its own": await sign(
      {},
      { key: other.privateKey, header: { jwk: jwk(other.privateKey, "x") } },
    ),
    "a key address of its own": await sign(
      {},
      { key: other.privateKey, header: { jku: "http://evil.example/" } },
    ),
    "no user": await sign({ sub: "" }),
    "a user that is an object": await sign({ sub: { a: 1 } as never }),
    "a line break in the user": await sign({ sub: "ann\nroot" }),
    "a zero byte in a claim": await sign({ email: "a\0b" }),
    "too long": await sign({ pad: "x".repeat(20_000) }),
  };
  for (const [what, token] of Object.entries(cases)) {
    const reply = await ask(token);
    t.equal(reply.status, 401, what);
    t.equal(
      reply.headers["www-authenticate"],
      'Bearer realm="www.example.org", error="invalid_token"',
      what,
    );
  }
  t.match(log(), /\[mod_ts:info\].*token refused: .*exp.*timestamp check failed/);
  t.equal((await ask(await sign({}, { expires: now - 25 }))).status, 200, "clocks differ");
  t.equal(
    (await ask(await sign({}, { expires: now - 5 }), [option("tolerance", "0")])).status,
    401,
  );
});

t.test("algorithms and type are the configuration's to choose", async (t) => {
  const { ask } = await start(t, option("key", "key.pem"));
  const token = await sign({}, { alg: "PS256", header: { typ: "at+jwt" } });
  t.equal((await ask(token)).status, 200);
  t.equal((await ask(token, [option("algorithms", "RS256 ES256")])).status, 401);
  t.equal((await ask(token, [option("type", "at+jwt")])).status, 200);
  t.equal((await ask(await sign(), [option("type", "at+jwt")])).status, 401);
});

t.test("a shared secret", async (t) => {
  const { ask } = await start(t, option("secret", "secret"));
  t.equal((await ask(await sign({}, { key: Buffer.from(secretText), alg: "HS256" }))).status, 200);
  t.equal(
    (await ask(await sign({}, { key: Buffer.from(`${secretText}\n`), alg: "HS256" }))).status,
    401,
  );
  t.equal((await ask(await sign())).status, 401);
});

t.test("a cookie", async (t) => {
  const { ask } = await start(t, option("key", "key.pem"));
  const cookie = `a=1; xtoken=no; token=${await sign()}; b=2`;
  t.equal((await ask(undefined, [option("cookie", "token")], { cookie })).status, 200);
  t.equal(
    (await ask(undefined, [option("cookie", "token")], { cookie, authorization: "Basic YTpi" }))
      .status,
    200,
  );
  t.equal((await ask(undefined, [option("cookie", "oken")], { cookie })).status, 401);
  t.equal(
    (await ask("x.y.z", [option("cookie", "token")], { cookie })).status,
    401,
    "a header wins",
  );
});

t.test("authz: claims and groups", async (t) => {
  const { ask } = await start(t, option("key", "key.pem"), "authen authz");
  const token = await sign({
    groups: ["staff", "a,wheel"],
    scope: "read write",
    email_verified: true,
    org: false,
    n: 3,
  });
  for (const [lines, status] of [
    [[option("groups", "wheel staff")], 200],
    [[option("groups", "wheel")], 403],
    [[option("require", "scope=read email_verified=true n=3")], 200],
    [[option("require", "scope=rea")], 403],
    [[option("require", "scope=admin")], 403],
    [[option("require", "email_verified=false")], 403],
    [[option("require", "org")], 403],
    [[option("require", "scope")], 200],
    [[option("require", "missing")], 403],
    [[option("require", "toString")], 403],
    [[option("groups", "staff"), option("require", "missing")], 403],
    [[], 500],
  ] as const) {
    const reply = await ask(token, lines);
    t.equal(reply.status, status, lines.join(" "));
    if (status === 403) t.match(reply.headers["www-authenticate"], /error="insufficient_scope"/);
  }
});

t.test("authz behind somebody else's authentication checks the token itself", async (t) => {
  const { ask } = await start(t, option("key", "key.pem"), "authz");
  const lines = [option("require", "scope=read")];
  t.equal((await ask(await sign({ scope: "read" }), lines)).status, 200);
  t.equal((await ask("x.y.z", lines)).status, 401);
  t.equal((await ask(undefined, lines)).status, 401);
});

t.test("an issuer's keys: kept, asked for again when a new one appears, 503 without", async (t) => {
  const keys = { keys: [jwk(privateKey, "1")] };
  const service = await startAuthService(t, () => ({ status: 200, body: JSON.stringify(keys) }));
  const { ask, log } = await start(t, option("jwks", service.url));
  t.equal((await ask(await sign({}, { kid: "1" }))).status, 200);
  t.equal((await ask(await sign({}, { kid: "1" }))).status, 200);
  t.equal(service.asked.length, 1);
  for (let count = 0; count < 20; count += 1) {
    t.equal(
      (await ask(await sign({}, { kid: `made up ${count}`, key: other.privateKey }))).status,
      401,
    );
  }
  t.equal(service.asked.length, 1, "made-up key ids ask nobody");
  await service.close();
  t.equal((await ask(await sign({}, { kid: "1" }))).status, 200, "kept while the issuer is down");

  const down = await startAuthService(t, () => ({ status: 500 }));
  const url = option("jwks", down.url);
  t.equal((await ask(await sign(), [url])).status, 502);
  down.decide = () => ({ status: 200, body: "<html>" });
  t.equal((await ask(await sign(), [url])).status, 502);
  down.decide = () => ({ status: 200, body: '{"keys":1}' });
  t.equal((await ask(await sign(), [url])).status, 502);
  down.decide = () => ({ status: 302, headers: { location: service.url } });
  t.equal((await ask(await sign(), [url])).status, 502);
  down.decide = () => ({
    status: 200,
    body: JSON.stringify({ keys: [jwk(other.privateKey, "1"), jwk(privateKey, "2")] }),
  });
  t.equal(
    (await ask(await sign(), [url])).status,
    200,
    "up again; a token without key id fits one of two",
  );
  t.equal(
    (
      await ask(
        await sign({}, { key: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey }),
        [url],
      )
    ).status,
    401,
  );
  await down.close();
  const gone = option("jwks", down.url.replace("check", "gone"));
  t.equal((await ask(await sign(), [gone])).status, 503);
  t.match(log(), /MODTS_AUTH_SERVICE_DOWN/);
});

t.test("a key file is read again when it changes, and a broken one lets nobody in", async (t) => {
  const { ask, folder } = await start(t, option("key", "key.json"));
  const write = (text: string): void => writeFileSync(join(folder, "key.json"), text);
  const second = await sign({}, { key: other.privateKey });
  t.equal((await ask(second)).status, 500, "there is none");
  write(JSON.stringify({ keys: [jwk(privateKey, "1")] }));
  t.equal((await ask(second)).status, 401);
  write(JSON.stringify(jwk(other.privateKey, "2")));
  t.equal((await ask(second)).status, 200);
  write(
    JSON.stringify({ keys: [{ kty: "oct", k: Buffer.from(secretText).toString("base64url") }] }),
  );
  t.equal((await ask(second)).status, 500, "a secret among public keys");
  write("{");
  t.equal((await ask(second)).status, 500);
  write(other.privateKey.export({ type: "pkcs8", format: "pem" }) as string);
  t.equal((await ask(second)).status, 200, "the public half of a private key");
});

t.test("mistakes in the configuration let nobody pass", async (t) => {
  const { ask, folder, log } = await start(t, option("key", "key.pem"));
  const token = await sign();
  writeFileSync(join(folder, "short"), "0123456789");
  for (const [key, ...lines] of [
    ["jwks", option("secret", "secret")],
    ["jwks", option("key", "")],
    ["jwks", option("key", ""), option("jwks", "nonsense")],
    ["algorithms", option("algorithms", "none")],
    ["algorithms", option("algorithms", "RS256 HS256")],
    ["algorithms", option("key", ""), option("secret", "secret"), option("algorithms", "RS256")],
    ["issuer", option("issuer", "")],
    ["audience", option("audience", "")],
    ["claims", option("claims", "email")],
    ["tolerance", option("tolerance", "-1")],
    ["audiences", option("audiences", "x")],
  ] as const) {
    t.equal((await ask(token, lines)).status, 500, lines.join(", "));
    t.match(log(), `MODTS_BAD_OPTION: invalid option mod_ts.jwt.${key}: `);
  }
  const weak = await sign({}, { key: Buffer.from("0123456789"), alg: "HS256" });
  t.equal((await ask(weak, [option("key", ""), option("secret", "short")])).status, 500);
  t.equal((await ask(token, [option("issuer", "any"), option("audience", "any")])).status, 200);
});
