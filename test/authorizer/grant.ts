import { createHash } from "node:crypto";
import t from "tap";
import { type AccessQuestion, Grants } from "../../src/authorizer/trust.ts";

const params = new Map([
  ["SCRIPT_FILENAME", "/srv/www/dir/"],
  ["DOCUMENT_ROOT", "/srv/www"],
  ["CONTEXT_PREFIX", "/alias"],
  ["CONTEXT_DOCUMENT_ROOT", "/opt/files"],
  ["REMOTE_ADDR", "192.0.2.7"],
  ["REMOTE_PORT", "40000"],
  ["SERVER_NAME", "www.example.org"],
  ["SERVER_PORT", "80"],
]);
const question: AccessQuestion = {
  params,
  policy: ["ask", "authen users.ts"],
  uri: "/dir/",
  pathInfo: "",
  requestLine: "GET /dir/ HTTP/1.1",
  seal: "0123",
};
const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");
const changed = (name: string, value: string): Map<string, string> =>
  new Map([...params, [name, value]]);

t.test("digests in the open, for Apache; the policy for us alone", async (t) => {
  const grants = new Grants("secret");
  const { grant, judged } = grants.write(question, ["authen users.ts"], "ann");
  t.equal(judged, [sha1("authen users.ts"), sha1("user ann")].join(","));
  t.notMatch(grant, "users.ts");
  t.match(grants.read(grant, params), {
    policy: "ask\nauthen users.ts",
    uri: "/dir/",
    seal: "0123",
  });
});

t.test("a user name that Apache may have in other bytes", async (t) => {
  const { judged } = new Grants("secret").write(question, [], "é");
  t.equal(
    judged,
    [sha1("user é"), createHash("sha1").update("user é", "latin1").digest("hex")].join(),
  );
});

t.test("a second answer adds to the first", async (t) => {
  const grants = new Grants("");
  const first = grants.write(question, ["authen users.ts"], "ann");
  const grant = grants.read(first.grant, params);
  const second = grants.write({ ...question, grant }, ["authz groups.ts"], "ann");
  t.same(second.judged.split(","), ["authen users.ts", "user ann", "authz groups.ts"].map(sha1));
  t.equal(grants.read(second.grant, params).time, grant.time, "it lives no longer");
});

t.test("nobody else's", async (t) => {
  const grants = new Grants("secret");
  const text = grants.write(question, [], "").grant;
  const invalid = { code: "MODTS_CONTEXT_INVALID", status: 403 };
  t.throws(() => new Grants("other").read(text, params), invalid);
  t.throws(() => grants.read(text.slice(0, -2), params), invalid);
  t.throws(() => grants.read("", params), invalid);
  for (const name of ["REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME"]) {
    t.throws(() => grants.read(text, changed(name, "1")), invalid, name);
  }
  const now = Date.now;
  Date.now = () => now() + 700_000;
  t.throws(() => grants.read(text, params), invalid, "too old");
  Date.now = now;
});

t.test("the grant of a ticket is good for the requests of its visitor", async (t) => {
  const grants = new Grants("secret");
  const text = grants.writeTicket(question, ["authen users.ts"]);
  t.notMatch(text, "users.ts");
  const next = new Map([...changed("REMOTE_PORT", "40001"), ["REQUEST_METHOD", "GET"]]);
  t.match(grants.readTicket(text, next), {
    policy: "ask\nauthen users.ts",
    judged: [sha1("authen users.ts")],
    file: "",
  });
  const invalid = { code: "MODTS_CONTEXT_INVALID" };
  t.throws(() => grants.read(text, params), invalid, "no grant of a main request");
  t.throws(() => grants.readTicket(grants.write(question, [], "").grant, params), invalid);
  t.throws(() => new Grants("other").readTicket(text, next), invalid);
  for (const name of ["REMOTE_ADDR", "SERVER_NAME"]) {
    t.throws(() => grants.readTicket(text, changed(name, "1")), invalid, name);
  }
});

t.test("too long for a header line of Apache's: what was judged, and no policy", async (t) => {
  const policy = [...question.policy, `option long ${"x".repeat(8000)}`];
  const grants = new Grants("secret");
  const { grant, judged } = grants.write({ ...question, policy }, ["authen users.ts"], "ann");
  t.ok(grant.length < 1000);
  t.equal(judged.split(",")[0], sha1("authen users.ts"));
  t.match(grants.read(grant, params), { policy: undefined, judged: judged.split(",") });
});

t.test("the address of a file that only a sub-request names", async (t) => {
  const grants = new Grants("");
  const grant = grants.read(grants.write(question, [], "").grant, params);
  const uriOf = (file: string): string => grants.uriOf(grant, changed("SCRIPT_FILENAME", file));
  t.equal(uriOf("/srv/www/dir/index.html"), "/dir/index.html");
  t.equal(uriOf("/srv/www/other/a"), "/other/a");
  t.equal(uriOf("/opt/files/a"), "/alias/a");
  for (const file of ["/etc/passwd", "", "/srv/wwwother/a"]) {
    t.throws(() => uriOf(file), { code: "MODTS_CONTEXT_INVALID" }, file);
  }
});
