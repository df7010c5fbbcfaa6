import { join } from "node:path";
import t from "tap";
import { formatDevConf } from "../../src/commands/dev-conf.ts";
import { resolveConfig } from "../../src/config.ts";

t.test("what the private Apache is told", async (t) => {
  const folder = t.testdir({ htdocs: {}, "apache.conf": "" });
  const config = resolveConfig({ run: "/r", pools: { a: { workers: 1 } } }, join(folder, "x.json"));
  const text = formatDevConf(folder, config);
  t.match(text, /^Define MOD_TS_RUN \/r$/m);
  t.match(text, `Define MOD_TS_FOLDER "${folder}"`);
  t.match(text, /^Use TsPool a$/m);
  t.match(text, `DocumentRoot "${folder}/htdocs"`);
  t.match(text, `Include "${folder}/apache.conf"`);
  t.notMatch(formatDevConf(folder, config, false), "DocumentRoot");
});

t.test("without an apache.conf there is the test page", async (t) => {
  const folder = t.testdir({});
  const text = formatDevConf(folder, resolveConfig({}, join(folder, "x.json")));
  t.match(text, /Use TsHandler mod_ts\/test-page/);
  t.match(text, `DocumentRoot "${folder}"`);
});
