/** What a script is told. */
import t from "tap";
import { cgiEnvironment } from "../../../src/handlers/cgi/environment.ts";
import type { RequestContext } from "../../../src/request/exchange.ts";
import { serve } from "../../fixtures/exchange-server.ts";

async function environmentOf(overrides: Partial<RequestContext>): Promise<Record<string, string>> {
  let environment: Record<string, string> = {};
  const server = await serve(
    t,
    (req) => {
      req.subprocessEnv.set("bad-name", "x");
      req.subprocessEnv.set("ZERO", "a\0b");
      req.subprocessEnv.set("SCRIPT_NAME", "/forged");
      environment = cgiEnvironment(req);
    },
    overrides,
  );
  await server.ask();
  return environment;
}

t.test("CGI's own, Apache's, and what was passed", async (t) => {
  const variables = await environmentOf({
    uri: "/cgi/a.ts/more",
    pathInfo: "/more",
    filename: "/srv/cgi/a.ts",
    environment: { PASSED: "yes", REMOTE_HOST: "client.example" },
    rawHeaders: [
      "Host",
      "h",
      "X-Umlaut",
      "J\xc3\xbc",
      "X-Latin",
      "\xfc",
      "Proxy",
      "p",
      "Content-Length",
      "7",
    ],
    user: "ann",
    authType: "Basic",
    scheme: "https",
  });
  t.match(variables, {
    GATEWAY_INTERFACE: "CGI/1.1",
    SCRIPT_NAME: "/cgi/a.ts",
    PATH_INFO: "/more",
    PATH_TRANSLATED: "/srv/htdocs/more",
    REMOTE_HOST: "client.example",
    REMOTE_USER: "ann",
    AUTH_TYPE: "Basic",
    HTTPS: "on",
    CONTENT_LENGTH: "7",
    HTTP_X_UMLAUT: "Jü",
    HTTP_X_LATIN: "ü",
    PASSED: "yes",
    PATH: process.env["PATH"],
  });
  for (const name of ["HTTP_PROXY", "bad-name", "ZERO", "HOME"]) t.notOk(name in variables, name);
});

t.test("a path info below the Alias of the request", async (t) => {
  const aliased = { contextPrefix: "/cgi", contextDocumentRoot: "/srv/cgi" };
  const inside = await environmentOf({ ...aliased, uri: "/cgi/a/cgi/x", pathInfo: "/cgi/x" });
  t.equal(inside["PATH_TRANSLATED"], "/srv/cgi/x");
  const outside = await environmentOf({ ...aliased, uri: "/cgi/a/cgix", pathInfo: "/cgix" });
  t.equal(outside["PATH_TRANSLATED"], "/srv/htdocs/cgix");
  t.notOk("PATH_TRANSLATED" in (await environmentOf({ uri: "/a", pathInfo: "" })));
});
