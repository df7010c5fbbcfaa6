import t from "tap";
import { checkHeaders } from "../../src/httpd/header-rules.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

const check = (line: string) => summaries(checkHeaders(mergedConfig(line)));

t.test("lines with headers of ours", async (t) => {
  for (const line of [
    "RequestHeader unset Mod-Ts-Config",
    "RequestHeader set mod-ts-context x",
    'RequestHeader edit Mod-Ts-Env "a" "b"',
    "Header always unset Mod-Ts-Proof",
    "Header append Mod-Ts-Config x",
  ]) {
    t.same(check(line), ["header-ours /etc/site.conf:1"], line);
  }
});

t.test("other lines of mod_headers", async (t) => {
  for (const line of [
    'RequestHeader append Mod-Ts-Config "\\thandler a.ts"',
    "RequestHeader unset Cookie",
    "Header set X-Mod-Ts 1",
    "Header echo ^Mod-Ts-",
    "Use TsHandler a.ts",
  ]) {
    t.same(check(line), [], line);
  }
});
