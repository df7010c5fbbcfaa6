/**
 * Another program answers on the port of the authorizer: after `kill -9`, any local user can listen
 * there. It knows all questions, and all earlier answers, and still nobody is let in.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import t from "tap";
import type { Pairs } from "../../src/authorizer/fastcgi.ts";
import { freePort } from "../../src/httpd/private-server.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Apache, type Reply, startApache } from "../fixtures/httpd.ts";
import { type Answer, startImpostor } from "../fixtures/impostor.ts";
import { until } from "../fixtures/until.ts";

const secret = "0123456789abcdef-impostor";
const basic = 'AuthType Basic\nAuthName "x"';
const file = 'AuthBasicProvider file\nAuthUserFile "${FOLDER}/htpasswd"';

/** Guards of all kinds; each lets ann with her password pass. */
const sections: Record<string, string> = {
  access: "AuthType mod_ts\nUse TsAccessHandler impostor.ts\nRequire valid-user",
  authen: `${basic}\nUse TsAuthenHandler impostor.ts\nRequire valid-user`,
  user: `${basic}\nUse TsAuthenHandler impostor.ts\nRequire user ann`,
  all: `${basic}\nUse TsAccessHandler impostor.ts\nUse TsAuthenHandler impostor.ts
    Use TsAuthzHandler impostor.ts\nRequire valid-user`,
  both: `${basic}\nUse TsAuthenHandler impostor.ts\nUse TsAuthzHandler impostor.ts\nRequire mod_ts`,
  authz: `${basic}\n${file}\nUse TsAuthzHandler impostor.ts\nRequire valid-user`,
  require: `${basic}\n${file}\nUse TsAuthzHandler impostor.ts\nRequire mod_ts`,
  declined: `${basic}\n${file}\nUse TsAuthzHandler impostor.ts::declines
    <RequireAny>\nRequire mod_ts\nRequire user ann\n</RequireAny>`,
  provider: `${basic}\nUse TsAuthBasicProvider impostor.ts\nAuthBasicProvider mod_ts
    Require valid-user`,
  among: `${basic}\nUse TsAuthBasicProviderAmong impostor.ts "user bob"
    AuthBasicProvider file mod_ts\nAuthUserFile "\${FOLDER}/others"\nRequire valid-user`,
  ticket: `${basic}\nUse TsAuthenHandler impostor.ts\nUse TsTicket\nRequire mod_ts_ticket`,
  tickets: `${basic}\nUse TsAuthenHandler impostor.ts\nUse TsAuthzHandler impostor.ts\nUse TsTicket
    Require mod_ts_ticket`,
  handler: `${basic}\nUse TsAuthenHandler impostor.ts\nUse TsFixupHandler impostor.ts::authzHandler
    Require valid-user`,
};
const kinds = Object.keys(sections);
/** Where Apache's own provider knows ann: an impostor decides only beyond that. */
const afterFile = new Set(["authz", "require", "declined"]);

const port = await freePort("127.0.0.1");
const behind = await freePort("127.0.0.1");
const impostor = await startImpostor(port, behind);
t.teardown(() => impostor.close());

const apache = await startApache(t, {
  before: `Define MOD_TS_SECRET ${secret}\nDefine MOD_TS_AUTHORIZER 127.0.0.1:${port}`,
  config: { secret, authorizer: { port: behind } },
  isWaiting: true,
  modules: ["mod_include"],
  conf: `<Directory "\${FOLDER}/htdocs">
      Require all granted
      Options +Includes
      AddType text/html .shtml
      AddOutputFilter INCLUDES .shtml
    </Directory>
    ${kinds.map((name) => `<Location "/${name}">\n${sections[name]}\n</Location>`).join("\n")}
    <Location "/authen">\nErrorDocument 403 /authen/refused.txt\n</Location>`,
  files: {
    ...Object.fromEntries(kinds.map((name) => [`htdocs/${name}/a.txt`, `secret of ${name}\n`])),
    "htdocs/authen/b.txt": "secret, too\n",
    "htdocs/authen/refused.txt": "sorry\n",
    "htdocs/authen/page.shtml": '<!--#include file="b.txt" -->',
    "htdocs/page.shtml": '<!--#include virtual="/authen/a.txt" -->',
    // ann:pass
    htpasswd: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
    // bob:pass
    others: "bob:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
  },
  handlers: { "impostor.ts": handlerFile("impostor.ts") },
});

const ask = (path: string, user = "ann", password = "pass"): Promise<Reply> =>
  apache.request(path, {
    headers: { authorization: `Basic ${btoa(`${user}:${password}`)}` },
  });

const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");
const variable = (name: string, value: string): string => `Variable-${name}: ${value}`;

/** Digests of every line and user that any section looks for. */
const allDigests = [
  ...["access", "authen", "authz", "fixup"].map((phase) => `${phase} impostor.ts`),
  "authz impostor.ts::declines",
  "fixup impostor.ts::authzHandler",
  ...["", "-", "ann", "bob", "admin"].map((user) => `user ${user}`),
].map(sha1);

const seal = (question: Pairs): string =>
  question.find(([name]) => name === "MOD_TS:SEAL")?.[1] ?? "";

/** Answers of somebody who has read mod_ts.conf, the question, and an earlier answer to the same question. */
const attacks: Record<string, (question: Pairs, earlier: readonly string[]) => Answer> = {
  "a bare 200": () => ({ lines: ["Status: 200 OK"] }),
  "no status": () => ({ lines: ["X: 1"] }),
  "another user": () => ({ lines: ["Status: 200", variable("REMOTE_USER", "ann")] }),
  "everything judged": (question) => ({
    lines: [
      "Status: 200 OK",
      variable("REMOTE_USER", "ann"),
      variable("MOD_TS_JUDGED", allDigests.join(",")),
      variable("MOD_TS_PASSED", "0123"),
      variable("MOD_TS_PROOF", `${"0".repeat(40)},*,${seal(question)}`),
      variable("MOD_TS_TICKET", "/etc/passwd"),
      variable("MOD_TS_CONTENT", "1"),
      variable("MOD_TS_GUARDED", "1"),
      variable("MOD_TS_CALL", "pass;1;"),
      variable("MOD_TS_STATUS", "200"),
      "Variable-MOD_TS:SEAL: ",
      "Variable-MOD_TS%3ASEAL: 0",
      `Mod-Ts-Declined: ${allDigests.join(",")},*`,
      `Mod-Ts-Proof: *,${seal(question)}`,
    ],
  }),
  "an earlier answer": (_, earlier) => ({ lines: earlier }),
  "an earlier answer as an OK": (_, earlier) => ({
    lines: ["Status: 200 OK", ...earlier.filter((line) => !line.startsWith("Status"))],
  }),
  "an earlier answer with the seal of then": (_, earlier) => ({
    lines: [...earlier, `Variable-MOD_TS:SEAL: ${oldSeal}`, `Variable-MOD_TS: SEAL=${oldSeal}`],
  }),
  "status 0": () => ({ lines: ["Status: 0", variable("REMOTE_USER", "ann")] }),
  "status -1": () => ({ lines: ["Status: -1", variable("REMOTE_USER", "ann")] }),
  "a redirect inside Apache": () => ({ lines: ["Status: 403"], body: "/authen/b.txt" }),
  "an earlier answer and a redirect": (_, earlier) => ({
    lines: ["Status: 401 no", ...earlier.filter((line) => !line.startsWith("Status"))],
    body: "/authen/b.txt",
  }),
  "status 0 and a redirect": () => ({ lines: ["Status: 0"], body: "/authen/b.txt" }),
  "a location": () => ({ lines: ["Status: 200", "Location: /authen/b.txt"] }),
};
let oldSeal = "";

for (const name of kinds) {
  t.test(`${name}: the sidecar lets pass, nobody else does`, async (t) => {
    impostor.answer = undefined;
    const path = `/${name}/a.txt`;
    const before = impostor.recorded.length;
    t.match(await ask(path), { status: 200, body: `secret of ${name}\n` });
    const earlier = impostor.recorded.slice(before).find(({ length }) => length > 1) ?? [];
    t.ok(earlier.length > 1, "the sidecar was asked");
    oldSeal = seal(impostor.questions.at(-1) ?? []);
    for (const [title, attack] of Object.entries(attacks)) {
      impostor.answer = (question) => attack(question, earlier);
      for (const [user, password] of [
        ["ann", afterFile.has(name) ? "pass" : "wrong"],
        ["admin", "any"],
        ["", ""],
      ] as const) {
        const asked = impostor.questions.length;
        const reply = await ask(path, user, password);
        t.notMatch(reply.body, "secret", `${title}, ${user}`);
        t.ok(reply.status >= 300 || reply.body === "", `${title}, ${user}: ${reply.status}`);
        const isDecidedByFile = afterFile.has(name) && user !== "ann";
        if (!isDecidedByFile) t.ok(impostor.questions.length > asked, `${title}: it was asked`);
      }
    }
  });
}
t.test("users of other providers are theirs, and need no proof", async (t) => {
  impostor.answer = () => ({ lines: ["Status: 200 OK"] });
  t.match(await ask("/among/a.txt", "bob"), { status: 200 });
  t.match(await ask("/among/a.txt", "bob", "wrong"), { status: 401 });
  t.match(await ask("/among/a.txt", "eve", "any"), { status: 401 });
});

t.test("a sub-request of a page that was let pass needs a proof of its own", async (t) => {
  impostor.answer = undefined;
  t.match(await ask("/authen/page.shtml"), { status: 200, body: "secret, too\n" });
  t.match(await ask("/page.shtml"), { status: 200, body: /error occurred/ }, "no grant, no answer");
  for (const [title, attack] of Object.entries(attacks)) {
    const earlier = impostor.recorded.at(-1) ?? [];
    impostor.answer = (question) => attack(question, earlier);
    const reply = await ask("/page.shtml");
    t.match(reply, { status: 200, body: /error occurred/ }, title);
  }
});

t.test("the page of a proven refusal is shown, also from the same section", async (t) => {
  impostor.answer = undefined;
  t.match(await ask("/authen/a.txt", "root", "pass"), { status: 403, body: "sorry\n" });
  const { headers } = await ask("/authen/a.txt");
  t.equal(headers["mod-ts-proof"], undefined, "the client does not see the proof of an OK");
  impostor.answer = () => ({ lines: ["Status: 403 no"] });
  t.notMatch(await ask("/authen/a.txt"), { body: "sorry\n" }, "an unproven one is checked again");
});

t.test("after kill -9, whoever listens in the place of the sidecar", async (t) => {
  const real = await killed();
  t.teardown(() => real.impostor.close());
  const path = "/members/a.txt";
  for (const [title, attack] of Object.entries(attacks)) {
    real.impostor.answer = (question) => attack(question, []);
    const reply = await real.apache.request(path);
    t.ok(reply.status >= 400 || reply.body === "", `${title}: ${reply.status}`);
    t.notMatch(reply.body, "secret", title);
  }
  t.ok(real.impostor.questions.length >= Object.keys(attacks).length, "it was asked");
});

/** An Apache whose sidecar was let in once, then killed, with an impostor on its port. */
async function killed(): Promise<{
  apache: Apache;
  impostor: Awaited<ReturnType<typeof startImpostor>>;
}> {
  const real = await startApache(t, {
    authorizer: true,
    before: `Define MOD_TS_SECRET ${secret}`,
    config: { secret },
    conf: `<Location "/members">
        AuthType mod_ts
        Use TsAccessHandler impostor.ts
        Require valid-user
      </Location>`,
    files: { "htdocs/members/a.txt": "secret\n" },
    handlers: { "impostor.ts": handlerFile("impostor.ts") },
  });
  await until(real.sidecarLog, /\bready\b/);
  t.match(await real.request("/members/a.txt"), { status: 200, body: "secret\n" });
  const taken = Number(/listening on 127\.0\.0\.1:(\d+)/.exec(real.sidecarLog())?.[1]);
  real.sidecar.kill("SIGKILL");
  await once(real.sidecar, "exit");
  return { apache: real, impostor: await startImpostor(taken) };
}
