/** A guard that gives any other answer than OK lets nobody pass: each wrong answer, in each phase, and modules that are broken. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const phases: Record<string, (handler: string) => string> = {
  access: (handler) => `AuthType mod_ts\nUse TsAccessHandler "${handler}"\nRequire valid-user`,
  authen: (handler) => `AuthType mod_ts\nUse TsAuthenHandler "${handler}"\nRequire valid-user`,
  authz: (handler) =>
    `AuthType mod_ts\nUse TsAuthenHandler user.ts\nUse TsAuthzHandler "${handler}"\nRequire mod_ts`,
};

/** Modules that never judge anything, and what the client is told. */
const broken: Record<string, string> = {
  "missing.ts": "there is no such file",
  "syntax.ts": "it does not compile",
  "throwing.ts": "it throws while it is loaded",
  "import.ts": "what it imports is missing",
  "empty.ts": "it exports nothing",
  "outcomes.ts::named": "the export is no function",
  "outcomes.ts::absent": "there is no such export",
  "outcomes.ts::__proto__": "the export is that of every object",
  "outcomes.ts::constructor": "the export is that of every object",
  "mod_ts/nobody": "there is no such built-in",
  "../outcomes.ts": "it lies outside of the directory of handlers",
};
const places = [
  ...Object.keys(phases).map((phase) => [`${phase}-any`, phase, "outcomes.ts"] as const),
  ...Object.keys(broken).flatMap((handler, index) =>
    Object.keys(phases).map((phase) => [`${phase}-${index}`, phase, handler] as const),
  ),
];

const apache = await startApache(t, {
  authorizer: true,
  conf: places
    .map(
      ([name, phase, handler]) => `<Location "/${name}">\n${phases[phase]?.(handler)}\n</Location>`,
    )
    .join("\n"),
  files: Object.fromEntries(places.map(([name]) => [`htdocs/${name}/a.txt`, "the secret\n"])),
  handlers: {
    "user.ts": handlerFile("attacks/user.ts"),
    "outcomes.ts": handlerFile("attacks/outcomes.ts"),
    "syntax.ts": "export function accessHandler( {",
    "throwing.ts": 'throw new Error("while it is loaded"); export const accessHandler = () => 0;',
    "import.ts": 'import "./nowhere.ts"; export const accessHandler = () => 0;',
    "empty.ts": "export {};",
  },
});

/** The right answers: 500 is a mistake of the handler, everything else a decision. A status below 300 is a refusal. */
const right: Record<string, number> = {
  undefined: 500,
  null: 500,
  true: 500,
  text: 500,
  "0 in text": 500,
  "minus zero in a list": 500,
  object: 500,
  "not a number": 500,
  "nearly OK": 500,
  200: 403,
  204: 403,
  304: 304,
  done: 403,
  declined: 403,
  "OK in a list of its own": 500,
  response: 500,
  throws: 500,
  "throws OK": 500,
  "throws 200": 403,
  rejects: 500,
  "rejects with OK": 500,
  "OK later than its function": 500,
  "a function that says OK": 500,
  written: 403,
  "status 200 and a refusal": 403,
};

for (const phase of Object.keys(phases)) {
  t.test(`${phase}: OK lets pass, and nothing else`, async (t) => {
    t.match(await apache.request(`/${phase}-any/a.txt?ok`), { status: 200, body: "the secret\n" });
    for (const [name, status] of Object.entries(right)) {
      const reply = await apache.request(`/${phase}-any/a.txt?${encodeURIComponent(name)}`);
      // Declined by all, a question of identity has no answer.
      const isUnknown = phase === "authen" && name === "declined";
      t.equal(reply.status, isUnknown ? 500 : status, name);
      t.notMatch(reply.body, "the secret", name);
    }
  });

  t.test(`${phase}: a handler that cannot be called lets nobody pass`, async (t) => {
    for (const [index, why] of Object.values(broken).entries()) {
      const reply = await apache.request(`/${phase}-${index}/a.txt`);
      t.equal(reply.status, 500, why);
      t.notMatch(reply.body, "the secret", why);
    }
  });
}

t.test("the handler still works after all of this", async (t) => {
  t.match(await apache.request("/access-any/a.txt?ok"), { status: 200, body: "the secret\n" });
});
