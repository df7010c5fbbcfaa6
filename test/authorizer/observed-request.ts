import t from "tap";
import { DenyExchange } from "../../src/authorizer/answer.ts";
import { createContext } from "../../src/authorizer/context.ts";
import { ObservedRequest } from "../../src/authorizer/observed-request.ts";
import { createDirectives } from "../../src/engine/directives.ts";

function observed(): ObservedRequest {
  const params = new Map([
    ["REQUEST_METHOD", "GET"],
    ["REQUEST_URI", "/a?x=1"],
    ["QUERY_STRING", "x=1"],
    ["SCRIPT_FILENAME", "/srv/a"],
    ["REMOTE_ADDR", "192.0.2.7"],
    ["SERVER_NAME", "www.example.org"],
    ["SERVER_PORT", "80"],
    ["HTTP_COOKIE", "session=ann"],
    ["HTTP_REFERER", "http://www.example.org/"],
    ["SSL_CLIENT_S_DN", "CN=ann"],
  ]);
  const question = {
    params,
    policy: [],
    uri: "/a",
    pathInfo: "",
    requestLine: "GET /a HTTP/1.1",
    seal: "",
  };
  const context = createContext(question, createDirectives({}), "main");
  return new ObservedRequest(context, new DenyExchange());
}

t.test("a decision about the visitor leaves no trace", async (t) => {
  const req = observed();
  t.equal(req.cookies.get("session"), "ann");
  t.equal(req.getBasicAuthPassword(), null);
  t.equal(req.useragentIp, "192.0.2.7");
  t.equal(req.method, "GET");
  t.notOk(req.isHttps());
  req.user = "ann";
  req.subprocessEnv.set("REMOTE_GROUPS", "staff");
  t.same([...req.seen], []);
});

const looks: Record<string, [(req: ObservedRequest) => unknown, string]> = {
  uri: [(req) => req.uri, "uri"],
  filename: [(req) => req.filename, "filename"],
  finfo: [(req) => req.finfo, "filename"],
  extension: [(req) => req.extension, "filename"],
  args: [(req) => req.args, "args"],
  pathInfo: [(req) => req.pathInfo, "pathInfo"],
  theRequest: [(req) => req.theRequest, "requestLine"],
  unparsedUri: [(req) => req.unparsedUri, "target"],
  parsedUri: [(req) => req.parsedUri, "target"],
  referer: [(req) => req.headersIn.get("referer"), "header referer"],
  has: [(req) => req.headersIn.has("X-Token"), "header X-Token"],
  "all headers": [(req) => [...req.headersIn], "all headers"],
  "raw headers": [(req) => req.headersIn.raw(), "all headers"],
  json: [(req) => JSON.stringify(req.headersIn), "all headers"],
  copy: [(req) => req.headersIn.copy(), "all headers"],
  at: [(req) => req.headersIn.at("accept-encoding"), "header accept-encoding"],
  environment: [(req) => req.subprocessEnv.get("REQUEST_URI"), "variable REQUEST_URI"],
  variables: [(req) => [...req.subprocessEnv.keys()], "all variables"],
  "client certificate": [(req) => req.sslVarLookup("SSL_CLIENT_S_DN"), "environment"],
};

for (const [name, [look, seen]] of Object.entries(looks)) {
  t.test(`${name} is of the request`, async (t) => {
    const req = observed();
    look(req);
    t.ok(req.seen.has(seen), [...req.seen].join(", "));
  });
}
