import { createHash } from "node:crypto";
import t from "tap";
import { digest } from "../../src/engine/changes.ts";
import { CallbackTokens } from "../../src/engine/callback-token.ts";

const secret = "0123456789abcdef";
const tokens = new CallbackTokens(secret);
const call = { method: "GET", path: "/a?b", remoteAddress: "192.0.2.7", scheme: "https" };
const previous = { method: "POST", unparsedUri: "/x", uri: "/x", user: "ann", notes: { a: "é" } };

/** What Apache hands on: all but the mac. */
const withoutMac = (token: string): string => token.slice(0, token.lastIndexOf(";"));

t.test("the mac is what the expression in mod_ts.conf computes", async (t) => {
  const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");
  const text = "pass;1; 192.0.2.7 https GET /a?b HTTP/1.1";
  const key = `callback ${secret} `;
  const mac = sha1(key + sha1(key + text));
  t.equal(tokens.issue({ kind: "pass", depth: 1 }, call), `pass;1;;${mac}`);
});

t.test("a decision is part of the token", async (t) => {
  const judged = [digest("fixup a.ts /a"), digest("init a.ts /a")];
  const fields = new Map([["env.THEME", "dark"]]);
  const token = tokens.issue({ kind: "pass", depth: 1 }, call, { judged, fields });
  const text = withoutMac(token);
  t.equal(text, `pass;1;;,${judged.join(",")},;env.THEME=${btoa("dark")}`);
  t.not(token.split(";").at(-1), tokens.issue({ kind: "pass", depth: 1 }, call).split(";").at(-1));
  t.same(tokens.read(text), { kind: "pass", depth: 1, previous: undefined });
  const long = new Map([["env.THEME", "x".repeat(7_000)]]);
  t.throws(() => tokens.issue({ kind: "pass", depth: 1 }, call, { judged, fields: long }), {
    code: "MODTS_DECISION_TOO_LONG",
  });
});

t.test("every part counts", async (t) => {
  const macOf = (change: object): string | undefined =>
    tokens
      .issue({ kind: "pass", depth: 1 }, { ...call, ...change })
      .split(";")
      .at(-1);
  const changes = [
    {},
    { method: "POST" },
    { path: "/a" },
    { remoteAddress: "::1" },
    { scheme: "http" },
  ];
  t.equal(new Set(changes.map(macOf)).size, changes.length);
});

t.test("what is sealed comes back, for whoever has the secret", async (t) => {
  const text = withoutMac(tokens.issue({ kind: "redirect", depth: 3, previous }, call));
  t.notMatch(Buffer.from(text.split(";")[2] ?? "", "base64url").toString("latin1"), /ann/);
  t.same(tokens.read(text), { kind: "redirect", depth: 3, previous });
  t.same(tokens.read("pass;1;"), { kind: "pass", depth: 1, previous: undefined });
  t.throws(() => new CallbackTokens("another secret...").read(text), {
    code: "MODTS_CONTEXT_INVALID",
  });
});

t.test("what is changed or malformed is refused", async (t) => {
  const text = withoutMac(tokens.issue({ kind: "redirect", depth: 1, previous }, call));
  const flipped = text.slice(0, -3) + (text.at(-3) === "A" ? "B" : "A") + text.slice(-2);
  for (const wrong of [
    flipped,
    "",
    "pass",
    "pass;x;",
    "other;1;",
    "redirect;1;AAAA",
    "pass;100;",
  ]) {
    t.throws(() => tokens.read(wrong), { code: "MODTS_CONTEXT_INVALID" }, wrong);
  }
});

t.test("without a secret there are no tokens", async (t) => {
  const open = new CallbackTokens("");
  const text = withoutMac(open.issue({ kind: "redirect", depth: 1, previous }, call));
  t.throws(() => open.read(text), { code: "MODTS_CONTEXT_INVALID" });
});

t.test("it fits into a field of Apache's", async (t) => {
  const issue = (length: number): string =>
    tokens.issue(
      { kind: "redirect", depth: 1, previous: { ...previous, notes: { a: "x".repeat(length) } } },
      call,
    );
  t.ok(issue(4000).length < 8190);
  t.throws(() => issue(5000), { code: "MODTS_BAD_ARGUMENT", message: /too long/ });
});
