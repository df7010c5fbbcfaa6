import t from "tap";
import { DenyExchange } from "../../src/authorizer/answer.ts";
import { createContext, destinationOf } from "../../src/authorizer/context.ts";
import type { AccessQuestion } from "../../src/authorizer/trust.ts";
import { ApacheRequest } from "../../src/request/request.ts";

/** What is asked about the destination of `COPY /dav/ann/a`. */
function ask(
  headers: Record<string, string>,
  params: Record<string, string> = {},
): AccessQuestion | undefined | null {
  const question: AccessQuestion = {
    params: new Map(
      Object.entries({
        REQUEST_METHOD: "COPY",
        REQUEST_URI: "/dav/ann/a",
        REQUEST_SCHEME: "https",
        SERVER_NAME: "dav.example",
        SERVER_PORT: "443",
        SCRIPT_FILENAME: "/srv/dav/ann/a",
        DOCUMENT_ROOT: "/srv/www",
        CONTEXT_PREFIX: "/dav",
        CONTEXT_DOCUMENT_ROOT: "/srv/dav",
        HTTP_HOST: "dav.example",
        ...headers,
        ...params,
      }),
    ),
    policy: ["access a.ts"],
    uri: "/dav/ann/a",
    pathInfo: "",
    requestLine: "COPY /dav/ann/a HTTP/1.1",
    seal: "",
  };
  const context = createContext(question, { options: {}, debug: false }, "main");
  return destinationOf(question, new ApacheRequest(context, new DenyExchange()));
}
const to = (HTTP_DESTINATION: string, params: Record<string, string> = {}) =>
  ask({ HTTP_DESTINATION }, params);

t.test("the destination as Apache maps it", async (t) => {
  const spellings = [
    "/dav/bob/b%20c",
    "https://dav.example/dav/bob/b%20c",
    "https://DAV.example.:443/dav/ann/../bob/b%20c",
    "/dav/%62ob/./b%20c",
  ];
  for (const spelling of spellings) {
    const asked = to(spelling);
    t.match(asked, { uri: "/dav/bob/b c", pathInfo: "" }, spelling);
    t.equal(asked?.params.get("SCRIPT_FILENAME"), "/srv/dav/bob/b c");
    t.equal(asked?.params.get("REQUEST_URI"), "/dav/bob/b%20c");
  }
  t.match(ask({ "HTTP_NEW-URI": "/x" }), undefined);
  t.match(ask({ HTTP_NEW_URI: "/dav/bob/b" }), { uri: "/dav/bob/b" }, "mod_dav reads it, too");
  const root = { CONTEXT_PREFIX: "", CONTEXT_DOCUMENT_ROOT: "/srv/www" };
  t.equal(to("/b", root)?.params.get("SCRIPT_FILENAME"), "/srv/www/b");
});

t.test("a destination that nobody knows", async (t) => {
  const strange = [
    "https://other.example/dav/bob/b",
    "https://dav.example:8443/dav/bob/b",
    "/elsewhere/b",
    "/dav/bob%2Fb",
    "/dav//../dav/bob/b",
    "dav/bob/b",
    "https://ann@dav.example/dav/bob/b",
    "",
  ];
  for (const spelling of strange) t.equal(to(spelling), null, spelling);
});

t.test("no destination", async (t) => {
  t.equal(ask({}), undefined);
  t.equal(to("/dav/bob/b", { REQUEST_METHOD: "PUT" }), undefined);
});
