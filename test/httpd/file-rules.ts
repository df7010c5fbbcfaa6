import { chmodSync, chownSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { checkFiles } from "../../src/httpd/file-rules.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

function makeSite(t: Test, files: Record<string, string>): { folder: string; site: string } {
  const folder = t.testdir(files);
  const site = `DocumentRoot "${folder}"\n<Directory "${folder}">\n  Require all granted\n</Directory>`;
  return { folder, site };
}

const none = { handlers: [] };

t.test("secrets in served directories, known by their content", async (t) => {
  const { folder, site } = makeSite(t, {
    "a.sqlite": "SQLite format 3\0",
    "server.key": "-----BEGIN EC PRIVATE KEY-----",
    ".htpasswd": "ann:$apr1$x$y\n",
    "b.db": "no database",
    "notes.pem": "public",
    htpasswd: "no passwords here",
  });
  const found = checkFiles(mergedConfig(site), none);
  t.same(
    found.map(({ what }) => what.replace(`${folder}/`, "")).toSorted(),
    [
      "Apache serves a database at /a.sqlite: a.sqlite",
      "Apache serves a private key at /server.key: server.key",
      "Apache serves passwords at /.htpasswd: .htpasswd",
    ],
    "names alone mislead",
  );
  const closed = site.replace("granted", "denied");
  t.same(checkFiles(mergedConfig(closed), none), [], "nobody gets them");
});

t.test("sources of Python beside pages", async (t) => {
  const { folder, site } = makeSite(t, { "a.py": "", "a.tsp": "" });
  const pages = site.replace("  Require", `  Use TsHandler mod_ts/publisher\n  Require`);
  const beside = `${site}\n<DirectoryMatch "${folder}/$">\n  Use TsHandler mod_ts/pages\n</DirectoryMatch>`;
  t.match(checkFiles(mergedConfig(beside), none), [{ what: /source of a Python program/ }]);
  t.same(checkFiles(mergedConfig(pages), none), [], "a handler of the file refuses it");
  t.same(checkFiles(mergedConfig(site), none), [], "nothing was ported");
});

t.test("handlers in served directories", async (t) => {
  const { folder, site } = makeSite(t, { "a.ts": "" });
  const sidecar = { handlers: [folder] };
  t.same(summaries(checkFiles(mergedConfig(site), sidecar)), ["handlers-served /etc/site.conf:1"]);
  const published = site.replace("  Require", "  Use TsHandler mod_ts/publisher\n  Require");
  t.same(checkFiles(mergedConfig(published), sidecar), [], "publishers live there");
});

const isRoot = process.geteuid?.() === 0;

t.test("configuration files that others serve, deploy or write", async (t) => {
  const { folder, site } = makeSite(t, { "a.conf": "" });
  const file = join(folder, "a.conf");
  const config = mergedConfig(site, { files: [file] });
  t.same(
    summaries(checkFiles(config, none)).filter((each) => !each.startsWith("include-writable")),
    [`include-served ${file}`],
  );
  const closed = mergedConfig(site.replace("granted", "denied"), { files: [file] });
  t.match(
    checkFiles(closed, { handlers: [folder] }).map(({ rule }) => rule),
    ["include-deployed"],
    "whoever deploys handlers changes Apache",
  );
  if (!isRoot) return;
  chmodSync(file, 0o666);
  t.match(checkFiles(closed, none), [{ rule: "include-writable", what: /^everybody may write/ }]);
  chmodSync(file, 0o644);
  chownSync(file, 4242, 0);
  t.match(checkFiles(closed, none), [{ rule: "include-writable", what: /^user 4242 may write/ }]);
});
