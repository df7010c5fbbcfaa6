import t from "tap";
import { checkErrorPages } from "../../src/httpd/error-page-rules.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

const guard = (path: string): string =>
  `<Location "${path}">\n  Use TsAuthenHandler users.ts\n  Require valid-user\n</Location>`;
const sections = `${guard("/a")}\n${guard("/b")}\n<Location "/h">\n  Use TsHandler h.ts\n</Location>`;
const check = (line: string) => summaries(checkErrorPages(mergedConfig(`${line}\n${sections}`)));

t.test("pages that the failure takes with it", async (t) => {
  for (const line of [
    "ErrorDocument 401 /a/login",
    "ErrorDocument 403 /a/no?x=1",
    "ErrorDocument 503 /b/down",
    "ErrorDocument 503 /h",
  ]) {
    t.same(check(line), ["error-page-refused /etc/site.conf:1"], line);
  }
});

t.test("pages that are shown", async (t) => {
  for (const line of [
    "ErrorDocument 401 /login",
    "ErrorDocument 403 /h",
    "ErrorDocument 404 /a/missing",
    'ErrorDocument 503 "Back in a minute"',
    "ErrorDocument 503 https://status.example/a",
  ]) {
    t.same(check(line), [], line);
  }
});
