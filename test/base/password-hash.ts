/** Hashes of all schemes, made by the programs that people use. */
import t from "tap";
import { hashPassword, schemeOf, dummyHash, verifyPassword } from "../../src/base/password-hash.ts";

/** Of "secret". */
const hashes = {
  bcrypt: "$2y$05$2he4puEou6qTB/3fOjRlxupdYaVdKeo3YADouiYoxbKxUqIiGgImu",
  argon2:
    "$argon2id$v=19$m=19456,t=2,p=1$E5V2TIxJYPJkAoE2XeEXTw$R9ye6zqm3/ZfgBtTszj0SKrjizdixGzr7qj6g/OOoeA",
  apr1: "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
  sha1: "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
  "md5-hex": "5ebe2294ecd0e0f08eab7690d2a6ee69",
  "sha1-hex": "E5E9FA1BA31ECD1AE84F75CAAA474F3A663F05F4",
};

t.test("each scheme takes its password and no other", async (t) => {
  for (const [scheme, hash] of Object.entries(hashes)) {
    t.equal(schemeOf(hash), scheme);
    t.ok(await verifyPassword(hash, "secret"), scheme);
    for (const wrong of ["Secret", "secret ", "", "secret\0", "secret\0x", "s".repeat(513), hash]) {
      t.notOk(await verifyPassword(hash, wrong), `${scheme}: ${JSON.stringify(wrong)}`);
    }
  }
});

t.test("what is no hash takes none", async (t) => {
  for (const hash of [
    "",
    "secret",
    "$1$abc$def",
    "$6$abc$def",
    "ab01FAX.bQRSU",
    "*",
    "!",
    "{SHA}",
    "$2y$05$short",
    hashes.bcrypt.replace("$05$", "$03$"),
    hashes.bcrypt.replace("$05$", "$17$"),
    hashes.argon2.replace("m=19456", "m=4194305"),
    hashes.argon2.replace("t=2", "t=216"),
    hashes.argon2.replace("m=19456,t=2", "m=4194304,t=1"),
    hashes.argon2.replace("t=2", "t=0"),
    hashes.argon2.replace("p=1", "p=2433"),
    hashes.argon2.replace("v=19", "v=18"),
    hashes.argon2.slice(0, -30),
  ]) {
    t.equal(schemeOf(hash), undefined, hash);
    t.notOk(await verifyPassword(hash, "secret"), hash);
    t.notOk(await verifyPassword(hash, hash), hash);
  }
});

t.test("the most costly ones that count", async (t) => {
  t.equal(schemeOf(hashes.bcrypt.replace("$05$", "$16$")), "bcrypt");
  t.equal(schemeOf(hashes.argon2.replace("m=19456,t=2,p=1", "m=2097152,t=1,p=4")), "argon2");
  t.equal(schemeOf(hashes.argon2.replace("t=2", "t=215")), "argon2");
});

t.test("a new hash is argon2id and fits", async (t) => {
  const [one, two] = await Promise.all([hashPassword("pässword"), hashPassword("pässword")]);
  t.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  t.not(one, two, "salted");
  t.ok(await verifyPassword(one, "pässword"));
  t.notOk(await verifyPassword(one, "password"));
});

t.test("the stranger's hash is well-formed, so that it costs what others cost", async (t) => {
  t.equal(schemeOf(dummyHash), "argon2");
  t.notOk(await verifyPassword(dummyHash, "secret"));
});

t.test("a flood is refused, and the queue is free afterwards", async (t) => {
  const all = await Promise.allSettled(
    Array.from({ length: 80 }, () => verifyPassword(hashes.bcrypt, "secret")),
  );
  const refused = all.filter(({ status }) => status === "rejected");
  t.equal(refused.length, 80 - 64);
  t.match(refused[0], { reason: { code: "MODTS_PASSWORDS_BUSY", status: 503 } });
  t.ok(await verifyPassword(hashes.bcrypt, "secret"));
});
