/** The Dockerfiles: plain enough for every builder, of pinned images, and made of files that are there. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import t, { type Test } from "tap";
import { mediaTypes } from "../../src/httpd/server-root.ts";
import { type Lock, missingEntries } from "../../scripts/complete-lock.ts";
import { readStages } from "../fixtures/dockerfile.ts";
import { requireHttpd, temporaryFolder } from "../fixtures/httpd.ts";
import { createCertificate } from "../fixtures/certificate.ts";
import { isIgnored, project } from "../fixtures/build-context.ts";

const read = (path: string): string => readFileSync(join(project, path), "utf8");
const dockerfiles = readdirSync(join(project, "docker"))
  .filter((name) => name.endsWith(".Dockerfile"))
  .map((name) => `docker/${name}`);

for (const file of dockerfiles) {
  t.test(`${file}: the classic builder can build it`, async (t) => {
    const text = read(file);
    t.notMatch(text, /^#\s*(syntax|check)=/m);
    t.notMatch(text, /<<-?\s*['"]?[A-Z]/, "no heredocs");
    t.notMatch(text, /--(mount|chmod|link|network|security|parents|exclude|checksum)\b/);
    const stages = readStages(join(project, file));
    const names = new Set<string>();
    for (const { name, base, instructions } of stages) {
      if (!names.has(base)) t.match(base, /^\w+:\d+\.\d+\.\d+(-[\w.-]+)?$/, `${base} is pinned`);
      for (const { keyword, text: content } of instructions) {
        if (keyword === "COPY") checkCopy(t, content, names);
        t.not(keyword, "ADD", "COPY does what it says");
      }
      names.add(name);
    }
  });
}

function checkCopy(t: Test, content: string, stages: ReadonlySet<string>): void {
  const from = /^--from=(\w+)/.exec(content)?.[1];
  if (from !== undefined) return void t.ok(stages.has(from), content);
  for (const source of content.split(" ").slice(0, -1)) {
    if (source.startsWith("$")) continue;
    t.ok(existsSync(join(project, source)), source);
    t.notOk(isIgnored(source), `${source} is in the build context`);
  }
}

t.test("secrets and the rubbish of a checkout stay out of the build context", async (t) => {
  for (const path of [
    ".git/config",
    ".env",
    "docker/secrets/mod_ts_secret",
    "node_modules/x",
    "examples/node_modules/x",
    "examples/.env",
    "examples/.mod-ts/run/login.key",
    "mod-ts-0.1.0.tgz",
    "test/index.ts",
  ]) {
    t.ok(isIgnored(path), path);
  }
});

t.test("lock files are complete and agree, so that npm ci takes them", async (t) => {
  const readLock = (file: string): Lock => JSON.parse(read(file)) as Lock;
  const own = readLock("package-lock.json");
  const theirs = readLock("docker/sidecar/package-lock.json");
  const command = "node scripts/complete-lock.ts [file]";
  t.same(Object.keys(missingEntries(own)), [], `package-lock.json: ${command}`);
  t.same(Object.keys(missingEntries(theirs)), [], `docker/sidecar/package-lock.json: ${command}`);
  const { dependencies } = JSON.parse(read("docker/sidecar/package.json")) as Versions;
  const { devDependencies } = JSON.parse(read("package.json")) as Versions;
  for (const [name, range] of Object.entries(dependencies)) {
    t.equal(devDependencies?.[name], range, `${name}: the range that is tested`);
    const key = `node_modules/${name}`;
    t.equal(theirs.packages[key]?.version, own.packages[key]?.version, `${name}: tested version`);
  }
});

interface Versions {
  dependencies: Record<string, string>;
  devDependencies?: Record<string, string>;
}

t.test("the examples find their packages in the image", async (t) => {
  const { dependencies } = JSON.parse(read("docker/sidecar/package.json")) as Versions;
  const own = (JSON.parse(read("package.json")) as Versions).dependencies;
  for (const name of readdirSync(join(project, "examples"), {
    recursive: true,
    encoding: "utf8",
  })) {
    if (!/\.tsx?$/.test(name)) continue;
    for (const [, what = ""] of read(`examples/${name}`).matchAll(
      /^import (?!type).* from "([^".][^"]*)"/gm,
    )) {
      const isThere = what.startsWith("node:") || /^mod-ts(\/config)?$/.test(what);
      const bare = what.split("/", what.startsWith("@") ? 2 : 1).join("/");
      t.ok(isThere || bare in dependencies || bare in own, `${name}: ${what}`);
    }
  }
});

t.test("scripts are right for a plain shell", async (t) => {
  for (const name of [
    "docker/apache/entrypoint.sh",
    "docker/sidecar/entrypoint.sh",
    "docker/secrets.sh",
  ]) {
    t.equal(spawnSync("sh", ["-n", join(project, name)]).status, 0, name);
  }
  t.equal(spawnSync("bash", ["-n", join(project, "docker/apache/healthcheck.sh")]).status, 0);
});

t.test("secrets.sh makes what is missing, and keeps the rest", async (t) => {
  const folder = join(temporaryFolder(t), "secrets");
  const make = (): string[] => {
    execFileSync("sh", [join(project, "docker/secrets.sh"), folder]);
    return readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
  };
  const first = make();
  t.equal(new Set(first).size, 6);
  t.match(readFileSync(join(folder, "mod_ts_secret"), "utf8"), /^[0-9a-f]{64}$/);
  t.same(make(), first);
});

t.test("httpd -t says yes to the very files, with the places of the image", async (t) => {
  const httpd = await requireHttpd();
  for (const stack of ["demo.conf", "production.conf"]) {
    const folder = temporaryFolder(t);
    const { cert, key } = createCertificate(folder, "site.example");
    const place = (text: string): string =>
      text
        .replaceAll("/usr/local/apache2", folder)
        .replaceAll("/run/httpd", join(folder, "run"))
        .replaceAll("/srv/handlers", join(project, "examples"))
        .replaceAll("/run/secrets/tls_certificate", cert)
        .replaceAll("/run/secrets/tls_key", key)
        .replaceAll("modules/mod_", `${httpd.moduleDirectory}/mod_`)
        // The name of another container.
        .replaceAll("sidecar:9701", "127.0.0.1:9701");
    mkdirSync(join(folder, "conf"));
    const files = {
      "conf/httpd.conf": place(read("docker/apache/httpd.conf")),
      "conf/stack.conf": place(read(`docker/apache/${stack}`)),
      "conf/tls.conf": place(read("docker/apache/tls.conf")),
      "conf/mod_ts.conf": read("apache-conf/mod_ts.conf"),
      "conf/mime.types": mediaTypes,
      "run/secret.conf": `Define MOD_TS_SECRET 0123456789abcdef\n${stack === "demo.conf" ? "" : "Define MOD_TS_BALANCER\nDefine MOD_TS_TLS\n"}`,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const words = ["-d", folder, "-f", resolve(folder, "conf/httpd.conf"), "-t"];
    const run = spawnSync(httpd.binary, words, { encoding: "utf8" });
    t.match(run.stderr, "Syntax OK", stack);
    t.notMatch(run.stderr, /warn/i, stack);
  }
});
