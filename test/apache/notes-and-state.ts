/** One request object for all phases; nothing of it is left for the next request. */
import t from "tap";
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
    "state.ts": `
      import { OK, type ApacheRequest } from "mod-ts";
      let first: ApacheRequest | undefined;
      export const initHandler = (req: ApacheRequest) => {
        first = req;
        req.state["trail"] = ["init"];
        req.notes.set("a", req.notes.get("a") + " seen");
        req.subprocessEnv.set("MINE", "1");
        return OK;
      };
      export const fixupHandler = (req: ApacheRequest) => { (req.state["trail"] as string[]).push("fixup"); return OK; };
      export const handler = (req: ApacheRequest) => { (req.state["trail"] as string[]).push(String(req === first)); return OK; };
      export const second = (req: ApacheRequest) => {
        req.write(JSON.stringify({
          trail: req.state["trail"],
          left: Object.keys(req.state),
          notes: [...req.notes],
          env: [...req.subprocessEnv],
          nothing: [req.prev, req.next, req.main],
        }));
        return OK;
      };
    `,
    "changes.ts": `
      import { DECLINED, OK, type ApacheRequest } from "mod-ts";
      export const fixupHandler = (req: ApacheRequest) => {
        req.uri = "/rewritten";
        req.args = "own=1";
        req.pathInfo = "";
        req.user = "ann";
        req.authType = "Own";
        req.filename = req.documentRoot() + "/other.txt";
        req.contentType = "text/x-other";
        return OK;
      };
      export const handler = (req: ApacheRequest) => {
        if (req.headersIn.has("x-decline")) return DECLINED;
        req.write([req.uri, req.args, req.user, req.authType, req.finfo.size, req.extension, req.unparsedUri].join(" "));
        return OK;
      };
    `,
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
