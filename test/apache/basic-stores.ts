/** `mod_ts/htpasswd` and `mod_ts/sql` with SQLite in front of static files. */
import { execFileSync } from "node:child_process";
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

// bcrypt, apr1 and {SHA} of "secret", as htpasswd writes them; "old" is plain text.
const john = "john:$2y$05$2he4puEou6qTB/3fOjRlxupdYaVdKeo3YADouiYoxbKxUqIiGgImu";
const users = `${john}
ann:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/
sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=
old:secret
`;
const seed = `PRAGMA journal_mode = WAL;
CREATE TABLE users (name TEXT PRIMARY KEY COLLATE NOCASE, password TEXT NOT NULL);
INSERT INTO users VALUES
  ('john', '$argon2id$v=19$m=19456,t=2,p=1$E5V2TIxJYPJkAoE2XeEXTw$R9ye6zqm3/ZfgBtTszj0SKrjizdixGzr7qj6g/OOoeA'),
  ('md5', '5ebe2294ecd0e0f08eab7690d2a6ee69'),
  ('ann', '$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/'),
  ('empty', '');
`;

const basic = `AuthType Basic\nAuthName "Members"\nUse TsOption realm Members\nRequire valid-user`;
const htpasswd = `${basic}\nUse TsAuthenHandler mod_ts/htpasswd`;
const sql = `${basic}\nUse TsAuthenHandler mod_ts/sql`;
const sections: Record<string, string> = {
  file: `${htpasswd}\nUse TsOption mod_ts.htpasswd.file users`,
  group: `${htpasswd}\nUse TsOption mod_ts.htpasswd.file "\${FOLDER}/users"
    Use TsAuthzHandler mod_ts/htpasswd\nUse TsOption mod_ts.htpasswd.groups groups
    Use TsOption mod_ts.htpasswd.require_group "none staff"`,
  either: `${basic}\nUse TsAuthenHandler "office.ts mod_ts/htpasswd"
    Use TsOption mod_ts.htpasswd.file users`,
  unset: htpasswd,
  gone: `${htpasswd}\nUse TsOption mod_ts.htpasswd.file nowhere`,
  typo: `${htpasswd}\nUse TsOption mod_ts.htpasswd.file users\nUse TsOption mod_ts.htpasswd.fille users`,
  sqlite: `${sql}\nUse TsOption mod_ts.sql.dsn sqlite:users.db\nUse TsOption mod_ts.sql.seed seed.sql`,
  legacy: `${sql}\nUse TsOption mod_ts.sql.dsn sqlite:users.db\nUse TsOption mod_ts.sql.legacy md5
    Use TsOption mod_ts.sql.upgrade on`,
  limited: `${htpasswd}\nUse TsOption mod_ts.htpasswd.file users\nUse TsOption mod_ts.htpasswd.attempts 2`,
  query: `${sql}\nUse TsOption mod_ts.sql.dsn sqlite:users.db
    Use TsOption mod_ts.sql.query "SELECT password FROM users WHERE name = ?"`,
  table: `${sql}\nUse TsOption mod_ts.sql.dsn sqlite:users.db\nUse TsOption mod_ts.sql.table other`,
  injection: `${sql}\nUse TsOption mod_ts.sql.dsn sqlite:users.db\nUse TsOption mod_ts.sql.table "users;--"`,
  driver: `${sql}\nUse TsOption mod_ts.sql.dsn oracle:x`,
};

const apache = await startApache(t, {
  authorizer: true,
  conf: `<Directory "\${FOLDER}/htdocs">\nRequire all granted\n</Directory>
    ${Object.entries(sections)
      .map(([name, lines]) => `<Location "/${name}">\n${lines}\n</Location>`)
      .join("\n")}`,
  files: {
    ...Object.fromEntries(
      Object.keys(sections).map((name) => [`htdocs/${name}/a.txt`, `${name}\n`]),
    ),
    users,
    groups: "# who is who\nstaff: ann\nstaff: sha\n",
    "seed.sql": seed,
  },
  handlers: {
    "office.ts": `export function authenHandler(req) {
      if (req.args !== "office") return -1;
      req.user = "office";
      return 0;
    }`,
  },
});
const inFolder = (name: string): string => join(apache.folder, name);

async function ask(path: string, user?: string, password = "secret"): Promise<number> {
  const credentials = Buffer.from(`${user}:${password}`).toString("base64");
  const headers = user === undefined ? {} : { authorization: `Basic ${credentials}` };
  const reply = await apache.request(`/${path}/a.txt`, { headers });
  t.equal(
    reply.body === `${path}\n`,
    reply.status === 200,
    "the file comes with a 200 and never else",
  );
  if (reply.status === 401) t.equal(reply.headers["www-authenticate"], 'Basic realm="Members"');
  return reply.status;
}

t.test("a file of htpasswd", async (t) => {
  for (const user of ["john", "ann", "sha"]) {
    t.equal(await ask("file", user), 200, user);
    t.equal(await ask("file", user), 200, `${user} again`);
    t.equal(await ask("file", user, "Secret"), 401, user);
    t.equal(await ask("file", user, ""), 401, user);
  }
  t.equal(await ask("file"), 401);
  t.equal(await ask("file", "nobody"), 401);
  t.equal(await ask("file", ""), 401);
  t.equal(await ask("file", "John"), 401, "names are compared to the letter");
  t.equal(await ask("file", "old"), 401, "plain text is no hash");
  const log = await until(apache.sidecarLog, /users line 4: nobody can log in/);
  t.match(log, /users line 4: nobody can log in/);
  t.notMatch(log, /secret/);
  const line = / john \[.*\/file\/a\.txt HTTP\/1.1" 200/;
  t.match(await until(apache.accessLog, line), line);
});

t.test("an access rule or a login: the first handler that knows a user decides", async (t) => {
  t.equal((await apache.request("/either/a.txt?office")).status, 200, "without a password");
  t.equal(await ask("either"), 401);
  t.equal(await ask("either", "ann"), 200);
  t.equal(await ask("either", "ann", "wrong"), 401);
  const line = / office \[.*\/either\/a\.txt\?office HTTP\/1.1" 200/;
  t.match(await until(apache.accessLog, line), line, "it names a user for the log");
});

t.test("guesses are limited, and logged as fail2ban reads them", async (t) => {
  for (const status of [401, 401, 429]) {
    t.equal(
      await ask("limited", "bob", `guess ${status} ${Math.random()}`),
      status,
      `guess ${status}`,
    );
  }
  const lines = await until(apache.sidecarLog, /"\/limited\/a\.txt": Too Many Attempts/);
  t.match(lines, /\[client 127\.0\.0\.1:\d+\] AH01618: user bob not found: \/limited\/a\.txt/);
  const log = lines.split("\n").filter((line) => line.includes("/limited/"));
  writeFileSync(inFolder("limited.log"), `${log.join("\n")}\n`);
  const filter = "/etc/fail2ban/filter.d/apache-auth.conf";
  if (!existsSync(filter)) return void t.comment("skipped: there is no fail2ban on this machine");
  const found = execFileSync("fail2ban-regex", [inFolder("limited.log"), filter], {
    encoding: "utf8",
  });
  t.match(found, /Lines: 3 lines, 0 ignored, 3 matched, 0 missed/);
});

t.test("a file that changes counts at once", async (t) => {
  t.equal(await ask("file", "new"), 401);
  writeFileSync(inFolder("users"), `${users}new:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n`);
  t.equal(await ask("file", "new"), 200);
  writeFileSync(inFolder("users"), users);
  t.equal(await ask("file", "new"), 401, "also for a password that was right a moment ago");
});

t.test("groups", async (t) => {
  t.equal(await ask("group", "ann"), 200);
  t.equal(await ask("group", "john"), 403);
  t.equal(await ask("group", "ann", "wrong"), 401);
  writeFileSync(inFolder("groups"), "staff: john\n");
  t.equal(await ask("group", "ann"), 403);
  t.equal(await ask("group", "john"), 200);
});

t.test("mistakes in the configuration refuse everybody, and say where they are", async (t) => {
  for (const [name, message] of [
    ["unset", "invalid option mod_ts.htpasswd.file: missing"],
    ["typo", "invalid option mod_ts.htpasswd.fille: unknown option"],
    ["gone", "MODTS_USERS_UNREADABLE"],
    ["injection", "invalid option mod_ts.sql.table: expected a plain name"],
    ["driver", "invalid option mod_ts.sql.dsn: must begin with"],
  ] as const) {
    t.equal(await ask(name, "john"), 500, name);
    t.ok((await until(apache.sidecarLog, message)).includes(message), message);
  }
});

t.test("a table of SQLite, made from a file of SQL when it is not there", async (t) => {
  t.equal(await ask("sqlite"), 401);
  t.equal(await ask("sqlite", "john"), 200);
  t.equal(statSync(inFolder("users.db")).mode & 0o777, 0o600, "the hashes are nobody else's");
  t.equal(await ask("sqlite", "john"), 200);
  t.equal(await ask("sqlite", "ann"), 200);
  t.equal(await ask("sqlite", "john", "wrong"), 401);
  t.equal(await ask("sqlite", "nobody"), 401);
  t.equal(await ask("sqlite", "empty", ""), 401);
  t.equal(await ask("sqlite", "JOHN"), 401, "though the table finds john under this name");
  t.equal(await ask("sqlite", "' OR 1=1 --"), 401);
  t.equal(await ask("sqlite", "md5"), 401, "a hash without salt does not count");
  t.equal(await ask("query", "ann"), 200, "a query of one's own");
});

t.test("old hashes where they are allowed, renewed at the first login", async (t) => {
  t.equal(await ask("legacy", "md5", "wrong"), 401);
  t.equal(await ask("legacy", "md5"), 200);
  const database = new DatabaseSync(inFolder("users.db"), { readOnly: true });
  const row = database.prepare("SELECT password FROM users WHERE name = 'md5'").get();
  database.close();
  t.match(row?.["password"], /^\$argon2id\$/);
  t.equal(await ask("legacy", "md5"), 200);
  t.equal(await ask("legacy", "md5", "wrong"), 401);
  t.equal(await ask("sqlite", "md5"), 200, "it counts everywhere now");
});

t.test("a database that cannot say is a 503, and works again when it can", async (t) => {
  t.equal(await ask("table", "john"), 503, "no such table");
  t.match(
    await until(apache.sidecarLog, "no such table"),
    /MODTS_DATABASE_DOWN: .*users\.db failed.*no such table: other/,
  );
  const database = new DatabaseSync(inFolder("users.db"));
  database.exec("CREATE TABLE other AS SELECT * FROM users");
  database.close();
  t.equal(await ask("table", "john"), 200);
  for (const end of ["", "-wal", "-shm"]) rmSync(inFolder(`users.db${end}`), { force: true });
  t.equal(await ask("query", "john"), 503, "an open file that was removed says nothing any more");
  t.notOk(statSync(inFolder("users.db"), { throwIfNoEntry: false }), "and is not made anew");
  t.equal(await ask("sqlite", "john"), 200, "but where there is a seed");
  t.equal(await ask("query", "john"), 200);
});

t.test("htpasswd itself", async (t) => {
  try {
    execFileSync("htpasswd", ["-bB", "-C", "4", inFolder("users"), "bea", "pässwört"], {
      stdio: "ignore",
    });
  } catch {
    return void t.comment("skipped: there is no htpasswd on this machine");
  }
  t.equal(await ask("file", "bea", "pässwört"), 200);
  t.equal(await ask("file", "bea", "passwort"), 401);
});
