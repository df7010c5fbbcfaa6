/** Attacks on password logins: headers, names, broken files of users, costly hashes, forged addresses. */
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";

/** bcrypt of "secret". */
const good = "$2y$05$2he4puEou6qTB/3fOjRlxupdYaVdKeo3YADouiYoxbKxUqIiGgImu";
const sha = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";
const digits = good.slice(7);
const argon = "$E5V2TIxJYPJkAoE2XeEXTw$R9ye6zqm3/ZfgBtTszj0SKrjizdixGzr7qj6g/OOoeA";

/** Entries with which nobody may log in, nor hold up others. */
const entries: Record<string, string> = {
  "empty-hash": "",
  "plain-text": "secret",
  crypt: "rl.3StKT.4T8M",
  "md5-crypt": "$1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
  "sha-crypt": "$6$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
  "sha-short": "{SHA}5en6G6MezRroT3XKqkdPOmY/Bf=",
  "sha-empty": "{SHA}",
  "salted-sha": "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
  "apr1-empty": "$apr1$$",
  "apr1-no-hash": "$apr1$abcdefgh$",
  "bcrypt-no-cost": `$2y$00$${digits}`,
  "bcrypt-low-cost": `$2y$03$${digits}`,
  "bcrypt-hours": `$2y$31$${digits}`,
  "bcrypt-impossible": `$2y$99$${digits}`,
  "bcrypt-minutes": `$2y$20$${digits}`,
  "bcrypt-cut": good.slice(0, -1),
  "bcrypt-long": `${good}A`,
  "bcrypt-salt": `$2y$05$${"/".repeat(53)}`,
  "argon2-memory": `$argon2id$v=19$m=4194304,t=2,p=1${argon}`,
  "argon2-rounds": `$argon2id$v=19$m=19456,t=4294967295,p=1${argon}`,
  "argon2-lanes": `$argon2id$v=19$m=19456,t=2,p=99999999${argon}`,
  "argon2-nothing": `$argon2id$v=19$m=0,t=0,p=0${argon}`,
  "argon2-text": `$argon2id$v=19$m=x,t=y,p=z${argon}`,
  "argon2-version": `$argon2id$v=99$m=19456,t=2,p=1${argon}`,
  "argon2-cut": "$argon2id$v=19$m=19456,t=2,p=1$a$b",
};

const users = [
  "\ufeff# a comment with john:secret",
  "no colon",
  `:${good}`,
  "::",
  `   `,
  ...Object.entries(entries).map(([name, hash]) => `${name}:${hash}`),
  `john:${good}`,
  `john:${sha.replace("5", "6")}`,
  `twice:${sha.replace("5", "6")}`,
  `twice:${sha}`,
  `fields:${sha}:1:2:secret`,
  `crlf:${sha}\r`,
  `__proto__:${sha}x`,
  "x".repeat(1_000_000),
  `last:${sha}`,
].join("\n");

const basic = 'AuthType Basic\nAuthName "Members"\nRequire valid-user';
const sections: Record<string, string> = {
  file: `Use TsAuthenHandler mod_ts/htpasswd\nUse TsOption mod_ts.htpasswd.file users
    Use TsOption mod_ts.htpasswd.attempts 1000`,
  sql: `Use TsAuthenHandler mod_ts/sql\nUse TsOption mod_ts.sql.dsn sqlite:users.db
    Use TsOption mod_ts.sql.attempts 1000`,
  limited: `Use TsAuthenHandler mod_ts/htpasswd\nUse TsOption mod_ts.htpasswd.file users
    Use TsOption mod_ts.htpasswd.attempts 3`,
  "limited-sql": `Use TsAuthenHandler mod_ts/sql\nUse TsOption mod_ts.sql.dsn sqlite:users.db
    Use TsOption mod_ts.sql.attempts 4`,
};
const apache = await startApache(t, {
  authorizer: true,
  conf: Object.entries(sections)
    .map(([name, lines]) => `<Location "/${name}">\n${basic}\n${lines}\n</Location>`)
    .join("\n"),
  files: {
    users,
    ...Object.fromEntries(
      Object.keys(sections).map((name) => [`htdocs/${name}/a.txt`, "the secret\n"]),
    ),
  },
});
const database = new DatabaseSync(join(apache.folder, "users.db"));
database.exec("CREATE TABLE users (name TEXT COLLATE NOCASE, password TEXT)");
const insert = database.prepare("INSERT INTO users VALUES (?, ?)");
for (const [name, hash] of Object.entries({ ...entries, john: good })) insert.run(name, hash);
database.close();

const basicOf = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

async function ask(place: string, authorization: string | string[], more = {}): Promise<number> {
  const headers = { authorization, ...more };
  const { status, body } = await apache.request(`/${place}/a.txt`, { headers });
  t.equal(body === "the secret\n", status === 200, `${place} ${String(authorization)}`);
  return status;
}
const places = ["file", "sql"];

t.test("nobody logs in with a broken or costly entry, and nobody waits for it", async (t) => {
  for (const place of places) {
    for (const [name, hash] of Object.entries(entries)) {
      for (const password of ["secret", hash]) {
        t.equal(await ask(place, basicOf(name, password)), 401, `${place} ${name}`);
      }
    }
    // Half of these hashes would hold a thread for longer than any guard may take.
    t.equal(await ask(place, basicOf("john", "secret")), 200, place);
  }
});

t.test("lines that are no entries", async (t) => {
  for (const [name, password, status] of [
    ["last", "secret", 200],
    ["crlf", "secret", 200],
    ["fields", "secret", 200],
    ["fields", "1", 401],
    ["twice", "secret", 401],
    ["", "secret", 401],
    ["# a comment with john", "secret", 401],
    ["no colon", "", 401],
    ["   ", "", 401],
    ["__proto__", "secret", 401],
    ["constructor", "secret", 401],
    ["toString", "", 401],
    ["x".repeat(255), "", 401],
  ] as const) {
    t.equal(await ask("file", basicOf(name, password)), status, `${name} ${password}`);
  }
});

t.test("names that a table takes for another one", async (t) => {
  for (const name of [
    "JOHN",
    "john ",
    " john",
    "john\0",
    "john\n",
    "john%",
    "j_hn",
    "john'--",
    "' OR '1'='1",
    "' UNION SELECT '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=' --",
    'john" --',
    "john;DROP TABLE users",
    "jo\u200bhn",
    "ｊｏｈｎ",
    "j\u00f6hn",
    "\u202enhoj",
    "x".repeat(300),
  ]) {
    for (const place of places) {
      t.equal(await ask(place, basicOf(name, "secret")), 401, JSON.stringify(name));
    }
  }
  t.equal(await ask("sql", basicOf("john", "secret")), 200, "the table is still there");
});

t.test("headers that hold no password", async (t) => {
  const right = basicOf("john", "secret");
  const encoded = right.slice("Basic ".length);
  const headers: [string | string[], status: number][] = [
    ["Basic", 401],
    ["Basic ", 401],
    ["Basic !!!", 401],
    [`Basic ${Buffer.from("john").toString("base64")}`, 401],
    [basicOf("", ""), 401],
    [basicOf("john", ""), 401],
    // httpd itself reads up to a zero byte, as for its own Basic.
    [basicOf("john", "secret\0x"), 200],
    [basicOf("john", "wrong\0secret"), 401],
    [basicOf("john", "secret\n"), 401],
    [basicOf("john", "x".repeat(5000)), 401],
    [basicOf("john", `secret${"x".repeat(600)}`), 401],
    [`Bearer ${encoded}`, 401],
    [`Digest ${encoded}`, 401],
    [`Basic${encoded}`, 401],
    [`Negotiate ${encoded}, ${right}`, 401],
    [encoded, 401],
    ['Digest username="john", realm="Members", nonce="", uri="/", response=""', 401],
    [right.replace("Basic", "bASIC"), 200],
  ];
  for (const [header, status] of headers) {
    for (const place of places) {
      t.equal(await ask(place, header), status, `${place} ${String(header).slice(0, 60)}`);
    }
  }
});

t.test("who exists is not told: known and unknown names have one answer", async (t) => {
  const answer = async (user: string): Promise<unknown> => {
    const headers = { authorization: basicOf(user, "wrong") };
    const reply = await apache.request("/file/a.txt", { headers });
    const { date, "mod-ts-proof": proof, ...rest } = reply.headers;
    t.ok(date && proof);
    return { status: reply.status, body: reply.body, headers: rest };
  };
  const unknown = await answer("nobody");
  for (const user of ["john", "last", "bcrypt-hours", "empty-hash", "argon2-text"]) {
    t.same(await answer(user), unknown, user);
  }
});

t.test("an address that the client claims is no new client", async (t) => {
  const claims = [
    "x-forwarded-for",
    "x-real-ip",
    "forwarded",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-client-ip",
    "via",
  ];
  for (const place of ["limited", "limited-sql"]) {
    const statuses = new Set<number>();
    for (const [index, name] of [...claims, ...claims, ...claims].entries()) {
      // 5 users for each client, so that the address is what is limited.
      const authorization = basicOf(`user${index}`, "wrong");
      const value = name === "forwarded" ? `for=192.0.2.${index}` : `192.0.2.${index}`;
      statuses.add(await ask(place, authorization, { [name]: value }));
    }
    t.ok(statuses.has(429), place);
    // By now the address has no attempt left, right or wrong.
    t.equal(
      await ask(place, basicOf("john", "secret"), { "x-forwarded-for": "198.51.100.7" }),
      429,
    );
  }
  t.notMatch(apache.sidecarLog(), /client (?:192\.0\.2|198\.51)/, "nor is it in the log");
});
