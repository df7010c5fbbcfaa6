import { join } from "node:path";
import t from "tap";
import { includedFiles, loadedModules, queryHttpd } from "../../src/httpd/query.ts";
import { writeServerRoot } from "../../src/httpd/server-root.ts";
import { requireHttpd } from "../fixtures/httpd.ts";

const base = { host: "127.0.0.1", port: 1, user: undefined };

t.test("modules in their order, and files", async (t) => {
  const directory = t.testdir({ "more.conf": "# more\n" });
  const httpd = await requireHttpd();
  const modules = ["mod_mpm_event", "mod_headers", "mod_dir", "mod_authz_core"];
  const conf = `Include "${directory}/more.conf"`;
  writeServerRoot({ ...base, directory, httpd, modules, conf });
  const file = join(directory, "httpd.conf");
  const loaded = await loadedModules(httpd, file);
  t.strictSame(
    loaded?.filter((name) => modules.includes(name)),
    modules,
  );
  t.strictSame(await includedFiles(httpd, file), [file, join(directory, "more.conf")]);
  t.match(await queryHttpd(httpd, ["-t"], file), { ok: true, text: /Syntax OK/ });
});

t.test("a configuration with mistakes", async (t) => {
  const directory = t.testdir({});
  const httpd = await requireHttpd();
  const conf = "Nonsense On";
  writeServerRoot({ ...base, directory, httpd, modules: undefined, conf });
  const file = join(directory, "httpd.conf");
  t.match(await queryHttpd(httpd, ["-t"], file), { ok: false, text: /Nonsense/ });
  t.equal(await loadedModules(httpd, file), undefined);
  t.equal(await includedFiles(httpd, file), undefined);
});
