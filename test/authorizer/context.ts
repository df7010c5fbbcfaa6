import t from "tap";
import { createContext, isReset, pageStatus, selectPolicy } from "../../src/authorizer/context.ts";
import type { AccessQuestion } from "../../src/authorizer/trust.ts";
import type { RequestContext } from "../../src/request/exchange.ts";
import { parseDirectives } from "../../src/engine/directives.ts";

const question = (params: Record<string, string>, policy: string[] = []): AccessQuestion => ({
  params: new Map(Object.entries(params)),
  policy,
  uri: "/a/b",
  pathInfo: "/b",
  requestLine: "GET /a%2Fb?x=1 HTTP/1.1",
  seal: "",
});
const context = (params: Record<string, string>): RequestContext =>
  createContext(question(params), parseDirectives(["option a b"]), "main");

t.test("what Apache says, under the names of the request API", async (t) => {
  const {
    method,
    requestLine,
    uri,
    args,
    filename,
    pathInfo,
    serverPort,
    scheme,
    options,
    interpreter,
  } = context({
    REQUEST_METHOD: "GET",
    REQUEST_URI: "/a%2Fb?x=1",
    SERVER_PROTOCOL: "HTTP/1.1",
    QUERY_STRING: "x=1",
    SCRIPT_FILENAME: "/srv/a",
    SERVER_PORT: "443",
    REQUEST_SCHEME: "https",
  });
  t.same(
    [method, requestLine, uri, args, filename, pathInfo, serverPort, scheme, options, interpreter],
    [
      "GET",
      "GET /a%2Fb?x=1 HTTP/1.1",
      "/a/b",
      "x=1",
      "/srv/a",
      "/b",
      443,
      "https",
      { a: "b" },
      "main",
    ],
  );
});

t.test("a name that nobody has checked is no user", async (t) => {
  const claimed = context({ REMOTE_USER: "ann", REMOTE_PASSWD: "x" });
  t.equal(claimed.user, "");
  t.equal(claimed.authType, "Basic");
  t.strictSame(claimed.rawHeaders, ["Authorization", "Basic YW5uOng="]);
  t.equal(
    context({ REMOTE_USER: "ann", AUTH_TYPE: "Digest" }).user,
    "ann",
    "Apache has checked it",
  );
  t.equal(context({ HTTP_REMOTE_USER: "root" }).user, "", "a header is no user");
});

t.test("headers of the client", async (t) => {
  t.strictSame(
    context({
      HTTP_ACCEPT_LANGUAGE: "de",
      HTTP_CONNECTION: "close",
      HTTP_X_1: "y",
      CONTENT_TYPE: "text/plain",
      HTTP_AUTHORIZATION: "Bearer x",
      REMOTE_PASSWD: "",
    }).rawHeaders,
    [
      "Accept-Language",
      "de",
      "X-1",
      "y",
      "Authorization",
      "Bearer x",
      "Content-Type",
      "text/plain",
    ],
  );
});

t.test("the environment holds no header, no password, nothing of ours", async (t) => {
  const { environment } = context({
    HTTP_A: "1",
    MOD_TS_SECRET: "s",
    FCGI_ROLE: "AUTHORIZER",
    REMOTE_PASSWD: "p",
    PATH: "/bin",
    GEOIP: "DE",
  });
  t.same(environment, { GEOIP: "DE" });
  t.equal(Object.getPrototypeOf(environment), null);
});

t.test("with Basic, a name that nobody has checked is not in the environment", async (t) => {
  const REMOTE_USER = "root";
  t.same(context({ REMOTE_USER, REMOTE_PASSWD: "p" }).environment, {});
  t.same(context({ REMOTE_USER }).environment, { REMOTE_USER }, "Apache has checked it");
});

t.test("nobody is no user, whatever Apache calls nobody", async (t) => {
  t.equal(context({ REMOTE_USER: "-" }).user, "");
});

t.test("a sub-request has an address of its own", async (t) => {
  const grant = { uri: "/main", policy: "", judged: [], file: "", requestLine: "", peer: "" };
  const asked: AccessQuestion = {
    ...question({ REQUEST_URI: "/main?x" }),
    uri: "/a é?#",
    grant: { ...grant, seal: "", time: 0 },
  };
  t.equal(createContext(asked, parseDirectives([]), "main").target, "/a%20%C3%A9%3F%23");
});

t.test("the lines of a policy that a question is about", async (t) => {
  const guards = ["access a.ts", "authen b.ts", "authz c.ts"];
  const others = ["type d.ts", "fixup e.ts"];
  const options = ["option key a value", "option other", "debug On"];
  const policy = [...guards, ...others, ...options, "handler no.ts", "toString x", "seal"];
  const select = (lines: string[], role = "AUTHENTICATOR"): unknown =>
    selectPolicy(question({ FCGI_APACHE_ROLE: role }, lines)).lines;
  t.strictSame(
    select(policy),
    ["authen b.ts", ...options],
    "AuthBasicProvider asks for the password, and no other phase can vouch for it",
  );
  t.strictSame(select([...policy, "ask"]), [...guards, ...others, ...options]);
  t.strictSame(
    select([...policy, "ask"], "AUTHORIZER"),
    ["authz c.ts", ...options],
    "Require mod_ts asks when the user is known",
  );
  t.strictSame(
    select([...policy, "ask", "content"]),
    [...guards, ...options],
    "type and fixup run with the content handler",
  );
  t.strictSame(selectPolicy(question({}, [...policy, "ask"])).judged, [...guards, ...others]);
  t.strictSame(select(["option a 50%% $1 %20"]), ["option a 50% $1 %20"]);
  t.strictSame(
    select([String.raw`option a \\b\c\t`]),
    ["option a \\b\\c\t"],
    "as mod_headers reads it",
  );
});

t.test("the question that only sets the status", async (t) => {
  const role = (FCGI_APACHE_ROLE: string, SERVER_SIGNATURE: string): boolean =>
    isReset(new Map(Object.entries({ FCGI_APACHE_ROLE, SERVER_SIGNATURE })));
  t.equal(role("AUTHORIZER", "Apache"), true);
  t.equal(role("AUTHORIZER", ""), false);
  t.equal(role("AUTHENTICATOR", "Apache"), false);
  const status = (text: string): number => pageStatus(new Map([["MOD_TS_STATUS", text]]));
  t.same(["404", "500", "", "200", "4040", "x"].map(status), [404, 500, 200, 200, 200, 200]);
});

t.test("notes of the first question are there in the second, and nowhere else", async (t) => {
  const params = { MOD_TS_NOTES: "level=7", FCGI_APACHE_ROLE: "AUTHORIZER" };
  t.strictSame({ ...context(params).notes }, { level: "7" });
  t.strictSame({ ...context({ ...params, FCGI_APACHE_ROLE: "AUTHENTICATOR" }).notes }, {});
});
