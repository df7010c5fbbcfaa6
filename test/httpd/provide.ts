import t from "tap";
import { findRecipe, provideHttpd } from "../../src/httpd/provide.ts";
import { requireHttpd } from "../fixtures/httpd.ts";

t.test("an httpd that is there is taken, and nothing said", async (t) => {
  const said: string[] = [];
  const httpd = await provideHttpd((text) => said.push(text));
  t.equal(httpd.version, (await requireHttpd()).version);
  t.strictSame(said, []);
});

t.test("a program that was named and is none is an error, not a reason to install", async (t) => {
  t.context.before = process.env["MOD_TS_HTTPD"];
  process.env["MOD_TS_HTTPD"] = "/bin/true";
  t.teardown(() => delete process.env["MOD_TS_HTTPD"]);
  await t.rejects(provideHttpd(t.fail), { code: "MODTS_HTTPD_MISSING", message: /\/bin\/true/ });
});

t.test("the recipe of the package manager", async (t) => {
  const folder = t.testdir({ apk: "" });
  t.strictSame(findRecipe(`/nowhere:${folder}`)?.commands, [
    ["apk", "add", "apache2", "apache2-proxy"],
  ]);
  t.equal(findRecipe("/nowhere"), undefined);
});
