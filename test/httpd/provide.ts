import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { findRecipe, provideHttpd } from "../../src/httpd/provide.ts";
import { requireHttpd } from "../fixtures/httpd.ts";

const provide = join(import.meta.dirname, "../../src/httpd/provide.ts");

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

const needsRoot = process.getuid?.() === 0 ? {} : { skip: "needs root" };

t.test(
  "MOD_TS_INSTALL=no: the error says how to install, nothing is done",
  needsRoot,
  async (t) => {
    const folder = t.testdir({ "apt-get": "" });
    const program = `import { provideHttpd } from ${JSON.stringify(provide)};
    const said = [];
    await provideHttpd((text) => said.push(text)).catch(({ code, message }) => {
      console.log(JSON.stringify({ code, message, said }));
    });`;
    const { binary } = await requireHttpd();
    // In a mount namespace of its own this machine has no httpd.
    const script = `mount --bind /dev/null '${binary}' && exec "$@"`;
    const words = ["--mount", "--propagation=private", "sh", "-c", script, "sh", process.execPath];
    const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", program];
    const { stdout, stderr, status } = spawnSync("unshare", [...words, ...flags], {
      encoding: "utf8",
      env: { PATH: `${folder}:/usr/bin:/bin`, MOD_TS_INSTALL: "no" },
    });
    t.equal(status, 0, stderr);
    t.match(JSON.parse(stdout), {
      code: "MODTS_HTTPD_MISSING",
      message: /apt-get install .*apache2/,
      said: [],
    });
  },
);

t.test("the recipe of the package manager", async (t) => {
  const folder = t.testdir({ apk: "" });
  t.strictSame(findRecipe(`/nowhere:${folder}`)?.commands, [
    ["apk", "add", "apache2", "apache2-proxy"],
  ]);
  t.equal(findRecipe("/nowhere"), undefined);
});
