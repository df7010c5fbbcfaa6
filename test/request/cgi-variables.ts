import t from "tap";
import { ApacheRequest } from "../../src/request/request.ts";
import type { Exchange, RequestContext } from "../../src/request/exchange.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

function requestOf(overrides: Partial<RequestContext> = {}): ApacheRequest {
  return new ApacheRequest(contextOf(overrides), {} as Exchange);
}

t.test("addCommonVars", async (t) => {
  const req = requestOf({
    scheme: "https",
    user: "bob",
    authType: "Basic",
    environment: { SSL_PROTOCOL: "TLSv1.3" },
    rawHeaders: [
      "Host",
      "www.example.com",
      "Accept",
      "a",
      "accept",
      "b",
      "Cookie",
      "x=1",
      "cookie",
      "y=2",
      "Content-Type",
      "text/css",
      "Content-Length",
      "5",
      "Content-Encoding",
      "gzip",
    ],
  });
  t.equal(req.subprocessEnv.size, 1);
  req.addCommonVars();
  t.strictSame(
    { ...req.subprocessEnv.toJSON() },
    {
      SSL_PROTOCOL: "TLSv1.3",
      HTTP_HOST: "www.example.com",
      HTTP_ACCEPT: "a, b",
      HTTP_COOKIE: "x=1; y=2",
      CONTENT_TYPE: "text/css",
      CONTENT_LENGTH: "5",
      HTTP_CONTENT_ENCODING: "gzip",
      HTTPS: "on",
      SERVER_SOFTWARE: "Apache/2.4.71",
      SERVER_NAME: "www.example.com",
      SERVER_PORT: "80",
      SERVER_ADMIN: "admin@example.com",
      REMOTE_ADDR: "192.0.2.7",
      REMOTE_PORT: "52110",
      DOCUMENT_ROOT: "/srv/htdocs",
      REQUEST_SCHEME: "https",
      CONTEXT_PREFIX: "",
      CONTEXT_DOCUMENT_ROOT: "/srv/htdocs",
      SCRIPT_FILENAME: "/srv/htdocs/a",
      UNIQUE_ID: "abc123",
      REMOTE_USER: "bob",
      AUTH_TYPE: "Basic",
    },
  );
});

t.test("headers that would be dangerous in an environment", async (t) => {
  const req = requestOf({
    uniqueId: "",
    rawHeaders: [
      "Proxy",
      "http://evil.example",
      "Authorization",
      "Basic x",
      "Proxy-Authorization",
      "y",
      "X_User",
      "root",
      "X.User",
      "root",
      "X-User",
      "bob",
    ],
  });
  req.addCommonVars();
  const names = [...req.subprocessEnv.keys()].filter((name) => name.startsWith("HTTP_"));
  t.strictSame(names, ["HTTP_X_USER"]);
  t.equal(req.subprocessEnv.get("HTTP_X_USER"), "bob");
  for (const name of ["UNIQUE_ID", "REMOTE_USER", "AUTH_TYPE", "HTTPS"]) {
    t.notOk(req.subprocessEnv.has(name), name);
  }
});

t.test("addCgiVars", async (t) => {
  const req = requestOf();
  req.addCgiVars();
  const env = req.subprocessEnv;
  t.equal(env.get("GATEWAY_INTERFACE"), "CGI/1.1");
  t.equal(env.get("SERVER_PROTOCOL"), "HTTP/1.1");
  t.equal(env.get("REQUEST_METHOD"), "GET");
  t.equal(env.get("QUERY_STRING"), "x=1");
  t.equal(env.get("REQUEST_URI"), "/a/b?x=1");
  t.equal(env.get("SCRIPT_NAME"), "/a");
  t.equal(env.get("PATH_INFO"), "/b");
  t.equal(env.get("SERVER_NAME"), "www.example.com", "the common ones too");
  t.notOk(env.has("PATH_TRANSLATED"));
});

t.test("SCRIPT_NAME without path info, and when the two do not fit", async (t) => {
  const plain = requestOf({ pathInfo: "", args: "" });
  plain.addCgiVars();
  t.equal(plain.subprocessEnv.get("SCRIPT_NAME"), "/a/b");
  t.equal(plain.subprocessEnv.get("QUERY_STRING"), "");
  t.notOk(plain.subprocessEnv.has("PATH_INFO"));
  const odd = requestOf({ pathInfo: "/else" });
  odd.addCgiVars();
  t.equal(odd.subprocessEnv.get("SCRIPT_NAME"), "/a/b");
});
