import t from "tap";
import type { Pairs } from "../../src/authorizer/fastcgi.ts";
import { createTrustCheck, Grants } from "../../src/authorizer/trust.ts";
import { apacheTime, sealPairs } from "../fixtures/sealed.ts";

const secret = "0123456789abcdef";
const policy = ["ask", "access judge.ts", "option a b"];
const pairs: Pairs = [
  ["SCRIPT_FILENAME", "/srv/www/a"],
  ["DOCUMENT_ROOT", "/srv/www"],
  ["REQUEST_METHOD", "GET"],
  ["REQUEST_SCHEME", "http"],
  ["QUERY_STRING", "x=1"],
  ["REMOTE_ADDR", "192.0.2.7"],
  ["REMOTE_PORT", "40000"],
  ["SERVER_NAME", "www.example.org"],
  ["SERVER_PORT", "80"],
  ["MOD_TS_LINE", ""],
];
const good = sealPairs(pairs, { policy, secret, uri: "/a b", pathInfo: "/info" });
const change = (all: Pairs, name: string, edit: (value: string) => string): Pairs =>
  all.map(([key, value]) => [key, key === name ? edit(value) : value]);
const blank = (all: Pairs): Pairs => change(all, "MOD_TS_POLICY", () => "");
const wrong = { code: "MODTS_SECRET_WRONG", status: 403 };

t.test("what Apache sealed is what is asked", async (t) => {
  const question = createTrustCheck(secret)(good);
  t.same(question.policy, policy);
  t.equal(question.uri, "/a b");
  t.equal(question.pathInfo, "/info");
  t.equal(question.requestLine, "GET /a HTTP/1.1");
  t.equal(question.grant, undefined);
  t.equal(createTrustCheck("")(sealPairs(pairs, { policy })).uri, "/a", "without a secret, too");
});

t.test("odd bytes are covered as they are", async (t) => {
  const odd = sealPairs(
    change(pairs, "QUERY_STRING", () => "é=ÿ"),
    { policy, secret },
  );
  t.doesNotThrow(() => createTrustCheck(secret)(odd));
});

t.test("nothing that decides can be changed under the seal", async (t) => {
  const check = createTrustCheck(secret);
  for (const name of ["REQUEST_METHOD", "REQUEST_SCHEME", "REMOTE_ADDR", "SERVER_NAME"]) {
    t.throws(() => check(change(good, name, (value) => `${value}x`)), wrong, name);
  }
  t.throws(() => check(change(good, "SERVER_PORT", () => "8080")), wrong);
  t.throws(() => check(change(good, "QUERY_STRING", () => "x=2")), wrong);
  const edits: [string, (text: string) => string][] = [
    ["another handler", (text) => text.replace("judge.ts", "open.ts")],
    ["one line less", (text) => text.replace("\naccess judge.ts", "")],
    ["one option more", (text) => text.replace("\nseal", "\noption c d\nseal")],
    ["another MAC", (text) => text.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"))],
  ];
  for (const [name, edit] of edits) {
    t.throws(() => check(change(good, "MOD_TS_POLICY", edit)), wrong, name);
  }
});

t.test("another secret, and the MAC of the other transport", async (t) => {
  for (const other of ["", "x", `${secret}0`, secret.slice(1), secret.toUpperCase()]) {
    t.throws(() => createTrustCheck(secret)(sealPairs(pairs, { policy, secret: other })), wrong);
  }
});

t.test("without a seal, or with an old one", async (t) => {
  const check = createTrustCheck(secret);
  t.throws(() => check([]), { code: "MODTS_CONTEXT_MISSING", status: 403 });
  t.throws(() => check(blank(good)), { code: "MODTS_CONTEXT_MISSING" });
  const unsealed = change(good, "MOD_TS_POLICY", (text) => text.replace(/\nseal .*$/, ""));
  t.throws(() => check(unsealed), { code: "MODTS_CONTEXT_MISSING" });
  const late = change(good, "MOD_TS_POLICY", (text) => `${text}\noption late 1`);
  t.throws(() => check(late), { code: "MODTS_CONTEXT_MISSING" }, "a line after the seal");
  const empty = { policy: ["ask", "", "access judge.ts"], secret };
  t.throws(
    () => check(sealPairs(pairs, empty)),
    { code: "MODTS_CONTEXT_INVALID" },
    "an empty line",
  );
  const time = apacheTime(new Date(Date.now() - 700_000));
  t.throws(() => check(sealPairs(pairs, { policy, secret, time })), {
    code: "MODTS_CONTEXT_INVALID",
  });
});

t.test("a sub-request is judged by the policy of its main request", async (t) => {
  const grants = new Grants(secret);
  const check = createTrustCheck(secret, grants);
  const passed = grants.write(check(good), ["access judge.ts"], "ann").grant;
  const other = change(good, "SCRIPT_FILENAME", () => "/srv/www/b");
  t.throws(() => check(other), { code: "MODTS_SUBREQUEST_UNDECIDED", level: "debug" });
  for (const all of [other, blank(other)]) {
    const question = check([...all, ["MOD_TS_PASSED", passed]]);
    t.same(question.policy, policy);
    t.equal(question.uri, "/b");
    t.equal(question.pathInfo, "");
    t.same(question.grant?.judged.length, 2, "the line and the user");
    t.equal(question.seal, check(good).seal, "the proof is for the request that was sealed");
  }
});

t.test("a grant without its policy is none for a sub-request", async (t) => {
  const grants = new Grants(secret);
  const check = createTrustCheck(secret, grants);
  const long = sealPairs(pairs, { policy: [...policy, `option x ${"y".repeat(8000)}`], secret });
  const passed: [string, string] = ["MOD_TS_PASSED", grants.write(check(long), policy, "").grant];
  t.equal(check([...long, passed]).grant?.judged.length, policy.length + 1, "the main request");
  const other = change(long, "SCRIPT_FILENAME", () => "/srv/www/b");
  t.throws(() => check([...other, passed]), { code: "MODTS_CONTEXT_INVALID" });
});

t.test("a parameter that comes twice, whichever it is", async (t) => {
  for (const pair of good) {
    t.throws(() => createTrustCheck(secret)([...good, pair]), { code: "MODTS_CONTEXT_INVALID" });
  }
});
