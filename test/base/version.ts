import { readFileSync } from "node:fs";
import t from "tap";
import { version } from "../../src/base/version.ts";

t.test("the version is the one of package.json", async (t) => {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  t.equal(version, (JSON.parse(manifest) as { version: string }).version);
  t.match(version, /^\d+\.\d+\.\d+/);
});
