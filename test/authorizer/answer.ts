import { createHash } from "node:crypto";
import t from "tap";
import {
  allow,
  answerStatus,
  DenyExchange,
  keepPrivate,
  Proofs,
} from "../../src/authorizer/answer.ts";
import { internals } from "../../src/request/internals.ts";
import { ApacheRequest } from "../../src/request/request.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

/** The answer to a refusal with these headers and this body. */
function deny(status: number, headers: string[] = [], body = ""): string {
  const exchange = new DenyExchange();
  exchange.begin(status, "", headers);
  exchange.end(body);
  return exchange.toBytes([]).toString();
}

const request = (environment: Record<string, string> = {}): ApacheRequest =>
  new ApacheRequest(contextOf({ environment }), new DenyExchange());

t.test("a refusal", async (t) => {
  t.equal(deny(403), "Status: 403 Forbidden\r\n\r\n");
  t.equal(
    deny(302, ["Location", "/x", "Set-Cookie", "a=1", "Set-Cookie", "b=2"]),
    "Status: 302 Found\r\nLocation: /x\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n",
  );
  t.equal(
    new DenyExchange().toBytes(["Mod-Ts-Proof", "01"]).toString(),
    "Status: 500 Internal Server Error\r\nMod-Ts-Proof: 01\r\n\r\n",
  );
  t.equal(answerStatus(503).toString(), "Status: 503 Service Unavailable\r\n\r\n");
});

t.test("a page that a phase wrote itself is no permission", async (t) => {
  for (const status of [200, 201, 204, 206, 299])
    t.match(deny(status, [], "hello"), /^Status: 403 /);
  const silent = new DenyExchange();
  t.match(silent.toBytes([]).toString(), /^Status: 500 /, "nobody said anything");
  const broken = new DenyExchange();
  broken.begin(200, "", []);
  broken.write("half");
  broken.abort();
  t.match(broken.toBytes([]).toString(), /^Status: 500 [^]*\r\n\r\n$/);
  t.ok(broken.signal.aborted);
});

const permission = {
  setsUser: true,
  passed: { grant: "sealed", judged: "0123" },
  proof: "4567",
  proofs: ["Mod-Ts-Proof", "89ab"],
};

t.test("headers that are commands to Apache, or its own, do not pass", async (t) => {
  const bad = [
    "Status",
    "Variable-USER",
    "variable-x",
    "Connection",
    "Keep-Alive",
    "Date",
    "Transfer-Encoding",
    "Content-Length",
    "Trailer",
    "Upgrade",
  ];
  const text = deny(403, [...bad.flatMap((name) => [name, "200"]), "X-Status", "1"]);
  t.equal(text, "Status: 403 Forbidden\r\nX-Status: 1\r\n\r\n");
  const req = request();
  for (const name of bad.slice(1)) if (name !== "Content-Length") req.headersOut.set(name, "200");
  req.headersOut.set("Status", "500");
  t.notMatch(
    allow(req, permission).toString(),
    /^(?:Variable-(?:USER|x)|Connection|Date|Upgrade|Status: 500)/m,
  );
});

t.test("shared caches keep what was let through only where a handler says so", async (t) => {
  const cacheControl = (setUp: (req: ApacheRequest) => void): string[] => {
    const req = request();
    setUp(req);
    keepPrivate(req);
    return (
      allow(req, permission)
        .toString()
        .match(/^Cache-Control: .*$/gm) ?? []
    );
  };
  t.same(
    cacheControl(() => {}),
    ["Cache-Control: private"],
  );
  t.same(
    cacheControl((req) => req.headersIn.set("Authorization", "Basic x")),
    [],
  );
  const open = (req: ApacheRequest): void => void req.headersOut.set("Cache-Control", "public");
  t.same(cacheControl(open), ["Cache-Control: public"]);
  const own = (req: ApacheRequest): void => void req.errHeadersOut.set("Cache-Control", "no-store");
  t.same(cacheControl(own), ["Cache-Control: no-store"]);
});

t.test("a body is never taken for an address", async (t) => {
  for (const body of [
    "/etc/passwd",
    "http://evil.example/",
    "HTTPS://x",
    "javascript:1",
    '"text"',
    "data:x",
    "403: no",
    "2024-01-01T00:00 no",
    `${"x".repeat(100)}:no`,
  ]) {
    t.match(deny(403, [], body), /\r\n\r\n\n/, body);
  }
  for (const body of ["<p>no</p>", " /x", "no", '{"a":"http://x"}']) {
    t.match(deny(403, [], body), `\r\n\r\n${body}`, body);
  }
  t.match(deny(403, [], "x".repeat(8001)), /\r\n\r\n$/, "more than Apache passes on");
});

t.test(
  "the type takes a way of its own, as Apache would call everything HTML in Latin-1",
  async (t) => {
    t.match(
      deny(403, ["Content-Type", "application/json"], "{}"),
      /^Mod-Ts-Type: application\/json\r$/m,
    );
    t.match(
      deny(403, ["Content-Type", "text/html; charset=utf-8"], "x"),
      /^Mod-Ts-Type: text\/html; charset=utf-8\r$/m,
    );
    t.notMatch(
      deny(403, ["Content-Type", "text/html"], ""),
      /Mod-Ts-Type/,
      "of nothing there is no type",
    );
  },
);

t.test(
  "a permission: user, notes, type, and what handlers changed in the environment",
  async (t) => {
    const req = request({ OLD: "same" });
    req.user = "ann";
    req.notes.set("groups", "a,b");
    req.notes.set("odd", "1&2=3");
    req.contentType = "text/x";
    req.subprocessEnv.set("OLD", "same");
    req.subprocessEnv.set("NEW", "né");
    req.headersOut.add("Set-Cookie", "a=1");
    req.errHeadersOut.add("Set-Cookie", "b=2");
    const text = allow(req, permission).toString();
    t.strictSame(text.split("\r\n"), [
      "Status: 200 OK",
      "Variable-REMOTE_USER: ann",
      "Variable-MOD_TS_PASSED: sealed",
      "Variable-MOD_TS_JUDGED: 0123",
      "Variable-MOD_TS_PROOF: 4567",
      "Variable-MOD_TS_NOTES: groups=a%2Cb&odd=1%262%3D3",
      "Variable-MOD_TS_CONTENT_TYPE: text/x",
      "Variable-NEW: né",
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "Mod-Ts-Proof: 89ab",
      "",
      "",
    ]);
    t.match(
      allow(request(), permission).toString(),
      /^Variable-REMOTE_USER: \r$/m,
      "nobody is told, too",
    );
  },
);

t.test("what would begin a line of its own fails the permission", async (t) => {
  for (const [name, value] of [
    ["A", "1\r\nVariable-REMOTE_USER: root"],
    ["A", "1\n"],
    ["A", "\0"],
    ["A\r\nVariable-B", "1"],
    ["A: B", "1"],
    ["A-B", "1"],
    ["", "1"],
  ] as const) {
    const req = request();
    req.subprocessEnv.set(name, value);
    t.throws(
      () => allow(req, permission),
      { code: "MODTS_BAD_HEADER" },
      JSON.stringify([name, value]),
    );
  }
  const req = request();
  req.user = "ann\r\nStatus: 200";
  t.throws(() => allow(req, permission), { code: "MODTS_BAD_HEADER" });
});

t.test("a line that is longer than Apache reads", async (t) => {
  const req = request();
  req.subprocessEnv.set("LONG", "é".repeat(4096));
  t.throws(() => allow(req, permission), { code: "MODTS_BAD_HEADER" });
  const location = ["Location", `/?${"x".repeat(8190)}`];
  t.throws(() => deny(302, location), { code: "MODTS_BAD_HEADER" });
});

t.test("there is no body to read", async (t) => {
  t.throws(() => request()[internals].exchange.body(), { code: "MODTS_NO_BODY" });
  t.equal(new DenyExchange().hasBody, false);
});

const asked = { seal: "0123", file: "/srv/a" };
const sha1 = (text: string | Buffer): string => createHash("sha1").update(text).digest("hex");
/** As `mod_ts.conf` computes it. */
const mac = (text: string | Buffer): string =>
  sha1(`answer s3cret ${sha1(Buffer.concat([Buffer.from("answer s3cret "), Buffer.from(text)]))}`);

t.test("proofs, as Apache computes them", async (t) => {
  const proofs = new Proofs("s3cret");
  t.equal(
    proofs.passed(asked, "aa,bb"),
    [mac("judged 0123 aa,bb"), mac("passed /srv/a 0123 aa,bb")].join(),
  );
  t.equal(
    proofs.declined(asked, ["authz a.ts", "authz b.ts"]),
    [mac("declined 0123 /srv/a authz a.ts"), mac("declined 0123 /srv/a authz b.ts")].join(),
  );
  t.equal(proofs.answered("t=1"), mac("answered t=1"));
});

t.test("a proof of another request, file, judgment or secret is another one", async (t) => {
  const proofs = new Proofs("s3cret");
  const all = [
    proofs.passed(asked, "aa"),
    proofs.passed({ ...asked, seal: "0124" }, "aa"),
    proofs.passed(asked, "bb"),
    proofs.declined(asked, ["aa"]),
    new Proofs("other").passed(asked, "aa"),
  ].flatMap((text) => text.split(","));
  all.push(proofs.passed({ ...asked, file: "/srv/b" }, "aa").split(",")[1] ?? "");
  t.equal(new Set(all).size, all.length);
});

t.test("a file name that Apache may have in other bytes has a proof for each", async (t) => {
  const proofs = new Proofs("s3cret");
  const latin1 = Buffer.from("passed /\xe9 0123 aa", "latin1");
  t.same(
    proofs
      .passed({ ...asked, file: "/é" }, "aa")
      .split(",")
      .slice(1),
    [mac("passed /é 0123 aa"), mac(latin1)],
  );
  t.equal(proofs.passed({ ...asked, file: "/é€" }, "aa").split(",")[1], mac("passed /é€ 0123 aa"));
});
