import t from "tap";
import { checkFilters } from "../../src/httpd/filter-rules.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

const news = (...lines: string[]): string =>
  `<Location "/news">\n  Use TsOutputFilter mask.ts\n${lines.map((line) => `  ${line}\n`).join("")}</Location>`;
const check = (site: string) => summaries(checkFilters(mergedConfig(site)));

t.test("a filter of Apache that runs on the original and on the result", async (t) => {
  for (const line of [
    "SetOutputFilter INCLUDES",
    "SetOutputFilter substitute;DEFLATE",
    "AddOutputFilter Sed .txt",
    'AddOutputFilterByType "SUBSTITUTE" text/html',
  ])
    t.same(check(news(line)), ["filter-twice /etc/site.conf:3"], line);
  const outer = '<Location "/">\n  SetOutputFilter INCLUDES\n</Location>\n';
  t.same(check(outer + news()), ["filter-twice /etc/site.conf:2"]);
  t.same(check(`AddOutputFilterByType SUBSTITUTE text/html\n${news()}`), [
    "filter-twice /etc/site.conf:1",
  ]);
  t.same(check(`ExtFilterDefine plus cmd=/bin/cat\n${news("SetOutputFilter plus")}`), [
    "filter-twice /etc/site.conf:4",
  ]);
  const around = news("SetOutputFilter INCLUDES").replace(
    "TsOutputFilter mask.ts",
    'TsAroundHandler "gate.ts mod_ts/origin"',
  );
  const [found] = checkFilters(
    mergedConfig(around.replaceAll('"gate', "gate").replace('origin"', "origin")),
  );
  t.match(
    found?.what,
    /SetOutputFilter INCLUDES runs twice.*TsAroundHandler gate.ts mod_ts.origin/,
  );
});

t.test("filters that run once", async (t) => {
  for (const line of [
    "SetOutputFilter DEFLATE",
    "AddOutputFilterByType DEFLATE text/html",
    "Use TsHandler page.ts\n  SetOutputFilter INCLUDES",
    `<If "-z reqenv('MOD_TS_CALL')">\n    SetOutputFilter INCLUDES\n  </If>`,
  ])
    t.same(check(news(line)), [], line);
  t.same(check(`AddOutputFilter INCLUDES .shtml\n${news()}`), [], "a line of Debian");
  t.same(check('<Location "/a">\n  SetOutputFilter INCLUDES\n</Location>'), []);
  t.same(check(`SetOutputFilter INCLUDES\n${news("SetOutputFilter DEFLATE")}`), [], "replaced");
});
