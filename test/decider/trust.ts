import t from "tap";
import { createTrustCheck } from "../../src/decider/trust.ts";
import { type QuestionOptions, questionPairs } from "../fixtures/scgi.ts";

const secret = "0123456789abcdef";
const check = createTrustCheck(secret);
const ask = (options: QuestionOptions): ReturnType<typeof check> =>
  check(new Map(questionPairs({ secret, ...options })));

t.test("a sealed question", (t) => {
  const headers = { HTTP_ACCEPT_LANGUAGE: "de", CONTENT_TYPE: "text/x", SCRIPT_NAME: "/a" };
  const question = ask({
    decision: "d",
    isSubRequest: true,
    lines: ["fixup a.ts", "option k v"],
    headers,
  });
  t.match(question, { decision: "d", isSubRequest: true });
  t.strictSame(question.headers.directives, ["fixup a.ts", "option k v"]);
  const { raw } = question.headers;
  t.equal(raw[raw.indexOf("Accept-Language") + 1], "de");
  t.equal(raw[raw.indexOf("Content-Type") + 1], "text/x");
  t.notOk(raw.includes("Script-Name"));
  t.end();
});

t.test("anything else is refused", (t) => {
  t.throws(() => check(new Map()), { code: "MODTS_CONTEXT_MISSING" });
  t.throws(() => ask({ secret: "fedcba9876543210" }), { code: "MODTS_SECRET_WRONG" });
  t.throws(() => ask({ fields: { version: "1" } }), { code: "MODTS_CONTEXT_INVALID" });
  t.throws(() => ask({ fields: { time: "t=1000000000000000" } }), {
    code: "MODTS_CONTEXT_INVALID",
  });
  const pairs = new Map(questionPairs({ secret }));
  const context = pairs.get("HTTP_MOD_TS_CONTEXT") ?? "";
  pairs.set("HTTP_MOD_TS_CONTEXT", `${context};more`);
  t.throws(() => check(pairs), { code: "MODTS_CONTEXT_INVALID" });
  pairs.set("HTTP_MOD_TS_CONTEXT", context.replace(";http;", ";https;"));
  t.throws(() => check(pairs), { code: "MODTS_SECRET_WRONG" });
  t.end();
});
