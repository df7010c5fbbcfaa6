/** What an administrator writes in good faith does not open by accident. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const open = "AuthType mod_ts\nRequire valid-user";
const access = (...names: string[]) =>
  [open, ...names.map((name) => `Use TsAccessHandler "${name}"`)].join("\n");
const basic = `AuthType Basic\nAuthName "File"\nAuthBasicProvider file
  AuthUserFile "\${FOLDER}/htpasswd"`;
const authz = `${basic}\nUse TsAuthzHandler guard.ts`;
const odd = String.raw`Use TsOption first one
Use TsOption second two
Use TsOption value "a%%20b$1c%%d&e'f\\\\\\\\n\\g"`;

const sections: Record<string, string> = {
  "no-yes": access("guard.ts::no", "guard.ts::yes"),
  "yes-no": access("guard.ts::yes", "guard.ts::no"),
  "yes-declines": access("guard.ts::yes", "guard.ts::declines"),
  outer: access("guard.ts::no"),
  "outer/inner": access("guard.ts::yes"),
  "by-extension": access("guard.ts::no", "guard.ts::yes | .txt"),
  counted: access("guard.ts::counted", "guard.ts::counted"),
  "counted/again": access("guard.ts::counted"),
  "beside-user": `${authz}\nRequire valid-user`,
  "user-and-ours": `${authz}\nRequire valid-user\nRequire mod_ts`,
  any: `${basic}\nUse TsAuthzHandler guard.ts::notBob
    <RequireAny>\nRequire mod_ts\nRequire user carol\n</RequireAny>`,
  "any-else": `${basic}\nUse TsAuthzHandler guard.ts::notBob
    <RequireAny>\nRequire user carol\nRequire mod_ts\n</RequireAny>`,
  all: `${authz}\n<RequireAll>\nRequire mod_ts\nRequire valid-user\n</RequireAll>`,
  "no-require": "AuthType mod_ts\nUse TsAccessHandler guard.ts::yes",
  "no-type": "Use TsAccessHandler guard.ts::yes",
  "open-outside": "Require all granted",
  "open-outside/guard": "AuthType mod_ts\nUse TsAuthenHandler guard.ts",
  options: `${access("guard.ts::shows")}\n${odd}`,
  "options/content": "Use TsHandler guard.ts",
};

const apache = await startApache(t, {
  authorizer: true,
  conf: `<Directory "\${FOLDER}/htdocs">\nRequire all granted\n</Directory>
    ${Object.entries(sections)
      .map(([name, lines]) => `<Location "/${name}">\n${lines}\n</Location>`)
      .join("\n")}`,
  files: {
    ...Object.fromEntries(Object.keys(sections).map((name) => [`htdocs/${name}/a.txt`, "a\n"])),
    // ann, bob and carol, all with the password "pass".
    htpasswd: ["ann", "bob", "carol"]
      .map((name) => `${name}:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n`)
      .join(""),
  },
  handlers: { "guard.ts": handlerFile("auth-closed.ts") },
});

const ask = (name: string, user?: string) =>
  apache.request(`/${name}/a.txt`, {
    headers: user
      ? { authorization: `Basic ${Buffer.from(`${user}:pass`).toString("base64")}` }
      : {},
  });
const status = async (name: string, user?: string): Promise<number> =>
  (await ask(name, user)).status;

t.test("access handlers must all agree, in one section and in nested ones", async (t) => {
  for (const name of ["no-yes", "yes-no", "outer", "outer/inner", "by-extension"]) {
    t.equal(await status(name), 403, name);
  }
  t.equal(await status("yes-declines"), 200);
});

t.test("an access handler that is named twice runs once", async (t) => {
  for (const name of ["counted", "counted/again"]) {
    const before = Number((await ask("counted")).headers["x-runs"]);
    t.equal(Number((await ask(name)).headers["x-runs"]) - before, 1, name);
  }
});

t.test("an authz handler beside Apache's own Require lines is asked", async (t) => {
  for (const name of ["beside-user", "user-and-ours", "all"]) {
    t.equal(await status(name, "ann"), 200, name);
    t.equal(await status(name, "bob"), 403, name);
    t.equal(await status(name), 401, name);
  }
});

t.test("what an authz handler declines is left to the other lines, with status 200", async (t) => {
  for (const name of ["any", "any-else"]) {
    t.match(await ask(name, "carol"), { status: 200, body: "a\n" }, name);
    t.equal(await status(name, "ann"), 403, name);
    t.equal(await status(name, "bob"), 403, name);
  }
});

t.test("a guard without a Require line is closed", async (t) => {
  for (const name of ["no-require", "no-type", "open-outside/guard"]) {
    for (const user of [undefined, "ann"]) {
      t.ok((await status(name, user)) >= 401, `${name}, ${user ?? "nobody"}`);
    }
  }
});

t.test("options arrive as written, and nobody is null, in guards and in content", async (t) => {
  const seen = { value: String.raw`a%20b$1c%d&e'f\n\g`, user: null };
  const reply = await ask("options/content");
  t.same(JSON.parse(reply.body), seen);
  t.same(JSON.parse(reply.headers["x-guard"] as string), seen);
});
