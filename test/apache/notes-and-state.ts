/** One request object for all phases; nothing of it is left for the next request. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const apache = await startApache(t, {
  conf: `
    SetEnvIf Host . FROM_APACHE=env
    SetEnvIf Host . MOD_TS_NOTES=a=1&b=two+words
    <Location /state>
      Use TsInitHandler state.ts
      Use TsFixupHandler state.ts
      Use TsHandler "state.ts state.ts::second"
      Use TsPassEnv FROM_APACHE
    </Location>
    <Location /changes>
      Use TsFixupHandler changes.ts
      Use TsHandler changes.ts
    </Location>
  `,
  files: { "htdocs/other.txt": "other" },
  handlers: {
    "state.ts": handlerFile("notes-and-state-state.ts"),
    "changes.ts": handlerFile("notes-and-state-changes.ts"),
  },
});

t.test("state, notes and environment reach later phases and later handlers", async (t) => {
  for (let round = 0; round < 2; round += 1) {
    const { body } = await apache.request("/state");
    t.strictSame(JSON.parse(body), {
      trail: ["init", "fixup", "true"],
      left: ["trail"],
      notes: [
        ["a", "1 seen"],
        ["b", "two words"],
      ],
      env: [
        ["FROM_APACHE", "env"],
        ["MINE", "1"],
      ],
      nothing: [null, null, null],
    });
  }
});

t.test("what an earlier phase changes of the request, later ones see", async (t) => {
  const { body } = await apache.request("/changes?x=1");
  t.equal(body, "/rewritten own=1 ann Own 5 .txt /changes?x=1");
});

t.test("and the default handler sends the file that they chose", async (t) => {
  const reply = await apache.request("/changes", { headers: { "x-decline": "1" } });
  t.match(reply, { status: 200, body: "other", headers: { "content-type": /^text\/x-other/ } });
});
