import t from "tap";
import { AuthorizerContext, directiveLines } from "../../src/authorizer/context.ts";
import { parseDirectives } from "../../src/directives.ts";

const context = (params: Record<string, string>): AuthorizerContext =>
  new AuthorizerContext(new Map(Object.entries(params)), parseDirectives(["option a b"]), "main");

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
    MOD_TS_URI: "/a/b",
    QUERY_STRING: "x=1",
    SCRIPT_FILENAME: "/srv/a",
    MOD_TS_PATH_INFO: "/b",
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
  t.equal(context({}).uri, "");
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

t.test("directives", async (t) => {
  const all: [string, string][] = [
    ["MOD_TS_ACCESS", "a.ts"],
    ["MOD_TS_AUTHEN", "b.ts"],
    ["MOD_TS_AUTHZ", "c.ts"],
    ["MOD_TS_TYPE", "d.ts"],
    ["MOD_TS_FIXUP", "e.ts"],
    ["MOD_TS_OPTIONS", "\tkey a value\tother\tkey again"],
    ["MOD_TS_DEBUG", "On"],
    ["MOD_TS_HANDLER", "no.ts"],
    ["HTTP_MOD_TS_ACCESS", "evil.ts"],
    ["mod_ts_access", "evil.ts"],
    ["MOD_TS_OPTIONS_", "\tevil 1"],
    ["REDIRECT_MOD_TS_AUTHZ", "evil.ts"],
    ["toString", "evil.ts"],
  ];
  const options = ["option key a value", "option other", "option key again", "debug On"];
  const ask: [string, string] = ["MOD_TS_ASK", "1"];
  t.strictSame(
    directiveLines(all),
    ["authen b.ts", ...options],
    "is the password right: no other phase can vouch for it",
  );
  t.strictSame(directiveLines([...all, ask]), [
    "access a.ts",
    "authen b.ts",
    "authz c.ts",
    "type d.ts",
    "fixup e.ts",
    ...options,
  ]);
  t.strictSame(
    directiveLines([...all, ask, ["FCGI_APACHE_ROLE", "AUTHORIZER"]]),
    ["authz c.ts", ...options],
    "may he: the user is known",
  );
  t.strictSame(
    directiveLines([...all, ask, ["MOD_TS_CONTENT", "1"]]),
    ["access a.ts", "authen b.ts", "authz c.ts", ...options],
    "type and fixup run with the content handler",
  );
});

t.test("notes of the first question are there in the second, and nowhere else", async (t) => {
  const params = { MOD_TS_NOTES: "level=7", FCGI_APACHE_ROLE: "AUTHORIZER" };
  t.strictSame({ ...context(params).notes }, { level: "7" });
  t.strictSame({ ...context({ ...params, FCGI_APACHE_ROLE: "AUTHENTICATOR" }).notes }, {});
});
