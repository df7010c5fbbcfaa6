/** The WebDAV compliance suite litmus, in full, behind each guard, with Debian's PHP configuration loaded. */
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const litmus = "/usr/bin/litmus";
const phpConf = "/etc/apache2/conf-available/php8.2-fpm.conf";
const missing = [litmus, phpConf].filter((file) => !existsSync(file));
const skip = missing.length === 0 ? false : `${missing.join(" and ")} is not installed`;

const guards: Record<string, string> = {
  authen: "Use TsAuthenHandler guard.ts\nRequire valid-user",
  provider: "Use TsAuthBasicProvider guard.ts\nAuthBasicProvider mod_ts\nRequire valid-user",
  access: "Use TsAccessHandler guard.ts\nRequire valid-user",
  authz: "Use TsAuthenHandler guard.ts\nUse TsAuthzHandler guard.ts\nRequire valid-user",
};

t.test("litmus", { skip }, async (t) => {
  const apache = await startApache(t, {
    authorizer: true,
    modules: ["mod_dav", "mod_dav_fs", "mod_proxy_fcgi"],
    conf: `DAVLockDB "\${FOLDER}/locks/davlock"
      DirectoryIndex index.html index.php
      Include "${phpConf}"
      ${Object.entries(guards)
        .map(
          ([name, lines]) =>
            `<Directory "\${FOLDER}/htdocs/${name}">\nDav On\nAuthType Basic\nAuthName "DAV"\n${lines}\n</Directory>`,
        )
        .join("\n")}`,
    files: { "locks/readme.txt": "of mod_dav\n" },
    handlers: {
      "guard.ts": handlerFile("password.ts"),
    },
  });
  for (const name of [...Object.keys(guards).map((guard) => `htdocs/${guard}`), "locks"]) {
    mkdirSync(join(apache.folder, name), { recursive: true });
    chmodSync(join(apache.folder, name), 0o777);
  }
  const run = promisify(execFile);
  const passed: number[] = [];
  for (const name of Object.keys(guards)) {
    const { stdout } = await run(litmus, [`${apache.url}/${name}/`, "ann", "pass"], {
      cwd: apache.folder,
      env: { ...process.env, TESTS: "basic copymove props locks http" },
    }).catch((error: unknown) => error as { stdout: string });
    const sums = [...stdout.matchAll(/summary for .*$/gm)].map(([line]) => line);
    t.comment(`${name}: ${sums.join("; ")}`);
    t.equal(sums.length, 5, `${name}: all suites have run`);
    for (const sum of sums) t.match(sum, / 0 failed\. 100\.0%$/, name);
    passed.push(
      ...[...stdout.matchAll(/ (\d+) passed, 0 failed/g)].map(([, count]) => Number(count)),
    );
  }
  const sum = passed.reduce((all, count) => all + count, 0);
  t.equal(sum, 104 * Object.keys(guards).length, "all 104 checks of litmus pass behind each guard");
});
