/** Tokens that `mod_ts/jwt` must refuse, through Apache: another algorithm, key, header, claim or form. */
import { createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto";
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const own = generateKeyPairSync("rsa", { modulusLength: 2048 });
const curve = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = publicKey.export({ type: "spki", format: "pem" }) as string;
const jwk = publicKey.export({ format: "jwk" });
const secret = "0123456789abcdef0123456789abcdef";

const option = (key: string, value: string): string => `Use TsOption mod_ts.jwt.${key} ${value}`;
const sections: Record<string, string> = {
  rsa: option("key", "key.pem"),
  curve: option("key", "curve.pem"),
  secret: option("secret", "secret"),
  cookie: `${option("key", "key.pem")}\n${option("cookie", "token")}`,
};
const apache = await startApache(t, {
  authorizer: true,
  conf: Object.entries(sections)
    .map(
      ([name, lines]) => `<Location "/${name}">
        AuthType mod_ts
        Use TsPassAuthorization
        Use TsAuthenHandler mod_ts/jwt
        ${lines}
        ${option("issuer", "https://id.example/")}
        ${option("audience", "api")}
        Require valid-user
      </Location>`,
    )
    .join("\n"),
  files: {
    "key.pem": pem,
    "curve.pem": curve.publicKey.export({ type: "spki", format: "pem" }) as string,
    secret,
    ...Object.fromEntries(
      Object.keys(sections).map((name) => [`htdocs/${name}/a.txt`, "the secret\n"]),
    ),
  },
});

const inAnHour = Math.floor(Date.now() / 1000) + 3600;
const claims = { iss: "https://id.example/", aud: "api", sub: "ann", exp: inAnHour };
const encode = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

type Sign = (input: string) => Buffer;
const rsa =
  (key: KeyObject = privateKey): Sign =>
  (input) =>
    signBytes("sha256", Buffer.from(input), key);
const ecdsa: Sign = (input) =>
  signBytes("sha256", Buffer.from(input), { key: curve.privateKey, dsaEncoding: "ieee-p1363" });
const hmac =
  (key: string | Buffer, hash = "sha256"): Sign =>
  (input) =>
    createHmac(hash, key).update(input).digest();

/** A token of header and payload as they are; text is not changed. */
function token(header: unknown, payload: unknown = claims, sign: Sign = rsa()): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign(input).toString("base64url")}`;
}
const rs = { alg: "RS256" };
const hs = { alg: "HS256" };
const nothing: Sign = () => Buffer.alloc(0);
const good = token(rs);
const [head = "", body = "", signature = ""] = good.split(".");
const deep = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;
const withClaims = (more: object): string => token(rs, { ...claims, ...more });

/** Refused by a section with the public key. */
const forged: Record<string, string> = {
  none: token({ alg: "none" }, claims, nothing),
  "none in capitals": token({ alg: "NONE" }, claims, nothing),
  "none with a signature": token({ alg: "none" }),
  "no algorithm": token({}),
  "algorithm null": token({ alg: null }),
  "a list of algorithms": token({ alg: ["none", "RS256"] }),
  "the algorithm in lower case": token({ alg: "rs256" }),
  "an algorithm of objects": token({ alg: "__proto__" }),
  "HS256 with the public key": token(hs, claims, hmac(pem)),
  "HS256 with the key without its last line end": token(hs, claims, hmac(pem.trimEnd())),
  "HS256 with the key in DER": token(
    hs,
    claims,
    hmac(publicKey.export({ type: "spki", format: "der" })),
  ),
  "HS256 with the key as JWK": token(hs, claims, hmac(JSON.stringify(jwk))),
  "HS256 with the modulus": token(hs, claims, hmac(Buffer.from(String(jwk.n), "base64url"))),
  "HS512 with the public key": token({ alg: "HS512" }, claims, hmac(pem, "sha512")),
  "HS256 with an empty key": token(hs, claims, hmac("")),
  "a key of its own": token(
    { ...rs, jwk: own.publicKey.export({ format: "jwk" }) },
    claims,
    rsa(own.privateKey),
  ),
  "the address of a key": token({ ...rs, jku: "http://127.0.0.1:1/" }, claims, rsa(own.privateKey)),
  "the address of a certificate": token(
    { ...rs, x5u: "http://127.0.0.1:1/" },
    claims,
    rsa(own.privateKey),
  ),
  "a certificate": token({ ...rs, x5c: ["MIIB"] }, claims, rsa(own.privateKey)),
  "a key id that is a path": token(
    { ...rs, kid: "../../../../dev/null" },
    claims,
    rsa(own.privateKey),
  ),
  "a key id that is a path, with its content": token({ ...hs, kid: "/dev/null" }, claims, hmac("")),
  "a key id of SQL": token({ ...rs, kid: "x' UNION SELECT 'k" }, claims, rsa(own.privateKey)),
  "a key id of objects": token({ ...rs, kid: "__proto__" }, claims, rsa(own.privateKey)),
  "a large key id": token({ ...rs, kid: "x".repeat(9000) }, claims, rsa(own.privateKey)),
  "an unknown critical header": token({ ...rs, crit: ["exp"], exp: inAnHour }),
  "an empty critical header": token({ ...rs, crit: [] }),
  "a critical header that is text": token({ ...rs, crit: "b64", b64: true }),
  "a payload that is not encoded": token({ ...rs, b64: false, crit: ["b64"] }),
  "another payload": `${head}.${encode({ ...claims, sub: "root" })}.${signature}`,
  "another header": `${encode({ ...rs, typ: "JWT" })}.${body}.${signature}`,
  "the signature twice": `${good}.${signature}`,
  "a signature that is cut": good.slice(0, -4),
  "no signature": `${head}.${body}.`,
  "five parts": `${head}.${body}.${signature}.${body}.${signature}`,
  dots: "..",
  "a header that is a list": token([rs]),
  "a header that is text": token('"RS256"'),
  "a header without end": token('{"alg":"RS256"'),
  "a payload that is a list": token(rs, [claims]),
  "a payload that is null": token(rs, "null"),
  "a payload that is text": token(rs, '"ann"'),
  "a payload of 6,000 lists": token(rs, deep(6000)),
  "a header of 6,000 lists": token(`{"alg":"RS256","x":${deep(3000)}`),
  "a token within a token": token({ ...rs, cty: "JWT" }, good),
  "a compressed payload": token({ ...rs, zip: "DEF" }, Buffer.from("x").toString()),
  expired: withClaims({ exp: 1 }),
  "an end that is text": withClaims({ exp: String(inAnHour) }),
  "an end that is null": withClaims({ exp: null }),
  "an end that is a list": withClaims({ exp: [inAnHour] }),
  "an end beyond numbers": token(rs, JSON.stringify(claims).replace(String(inAnHour), "-1e999")),
  "a beginning that is text": withClaims({ nbf: "0" }),
  "not yet": withClaims({ nbf: inAnHour }),
  "an issuer in a list": withClaims({ iss: [claims.iss] }),
  "an issuer with more": withClaims({ iss: `${claims.iss}.evil.example` }),
  "another audience": withClaims({ aud: ["apis"] }),
  "an audience in a text": withClaims({ aud: "api other" }),
  "an audience that is an object": withClaims({ aud: { 0: "api", length: 1 } }),
  "a user that is a list": withClaims({ sub: ["ann"] }),
  "a user that is empty": withClaims({ sub: "" }),
  "two lines as a user": withClaims({ sub: "ann\nroot" }),
  "a zero byte in the user": withClaims({ sub: "root\0" }),
  "a line end in an address": withClaims({ email: "a@b\r\nRemote-User: root" }),
  "17,000 characters": withClaims({ pad: "x".repeat(17_000) }),
};

async function ask(place: string, headers: Record<string, string>): Promise<number> {
  const { status, body: text } = await apache.request(`/${place}/a.txt`, { headers });
  t.equal(text === "the secret\n", status === 200, `${place}: ${status}`);
  return status;
}
const bearer = (text: string): Record<string, string> => ({ authorization: `Bearer ${text}` });

t.test("right tokens pass", async (t) => {
  t.equal(await ask("rsa", bearer(good)), 200);
  t.equal(await ask("curve", bearer(token({ alg: "ES256" }, claims, ecdsa))), 200);
  t.equal(await ask("secret", bearer(token(hs, claims, hmac(secret)))), 200);
  t.equal(await ask("cookie", { cookie: `token=${good}` }), 200);
});

t.test("forged ones do not, in the header or in a cookie", async (t) => {
  for (const [name, text] of Object.entries(forged)) {
    // More than httpd itself takes in one header line.
    const status = text.length > 8000 ? /^4(?:00|01|31)$/ : /^401$/;
    t.match(String(await ask("rsa", bearer(text))), status, name);
    t.match(String(await ask("cookie", { cookie: `token=${text}` })), status, `${name}, cookie`);
  }
});

t.test("signatures of nothing, for a curve", async (t) => {
  const es = { alg: "ES256" };
  const zero = (): Buffer => Buffer.alloc(64);
  const order = Buffer.from(
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "hex",
  );
  const signatures: [string, Sign][] = [
    ["zero (CVE-2022-21449)", zero],
    ["the order of the curve", () => Buffer.concat([order, order])],
    ["one", () => Buffer.concat([Buffer.alloc(31), Buffer.of(1), Buffer.alloc(31), Buffer.of(1)])],
    ["empty", nothing],
    ["DER", (input) => signBytes("sha256", Buffer.from(input), curve.privateKey)],
    ["doubled", (input) => Buffer.concat([ecdsa(input), ecdsa(input)])],
    ["of another curve", rsa()],
  ];
  for (const [name, sign] of signatures) {
    t.equal(await ask("curve", bearer(token(es, claims, sign))), 401, name);
  }
  t.equal(await ask("curve", bearer(token({ alg: "ES384" }, claims, ecdsa))), 401);
});

t.test("a secret: other secrets, and keys of the client", async (t) => {
  for (const key of ["", secret.slice(0, -1), `${secret}\n`, pem]) {
    t.equal(await ask("secret", bearer(token(hs, claims, hmac(key)))), 401, JSON.stringify(key));
  }
  t.equal(await ask("secret", bearer(good)), 401);
  const jwkOfSecret = { kty: "oct", k: encode("x".repeat(32)) };
  const header = { ...hs, jwk: jwkOfSecret };
  t.equal(await ask("secret", bearer(token(header, claims, hmac("x".repeat(32))))), 401);
});

t.test("headers that carry a token otherwise", async (t) => {
  for (const authorization of [
    good,
    `Basic ${good}`,
    `Bearer${good}`,
    `Bearer "${good}"`,
    `Bearer ${good}, Bearer ${good}`,
    `Bearer token=${good}`,
    `Bearer ${good} x`,
    `Bearer x ${good}`,
    "Bearer",
    `Token ${good}`,
  ]) {
    t.equal(await ask("rsa", { authorization }), 401, authorization.slice(0, 20));
  }
  t.equal(await ask("rsa", { "x-authorization": `Bearer ${good}` }), 401);
  t.equal(await ask("rsa", { cookie: `token=${good}` }), 401, "where no cookie is named");
  const { status } = await apache.request(`/rsa/a.txt?access_token=${good}`);
  t.equal(status, 401, "never from the query");
});

t.test("none of this was an error of the sidecar", async (t) => {
  t.notMatch(apache.sidecarLog(), /\[mod_ts:error\]/);
  t.equal(await ask("rsa", bearer(good)), 200);
});
