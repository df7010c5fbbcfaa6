/** A running sidecar, and what is wrong about it. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import { checkSecretFiles, checkSidecar, sidecarIdentity } from "../../../src/cli/check/sidecar.ts";
import { loadConfig } from "../../../src/config/config-file.ts";
import { type Config, resolveConfig } from "../../../src/config/config.ts";
import { readMergedConfig } from "../../../src/httpd/merged-config.ts";
import { askReload } from "../../../src/supervisor/control.ts";
import { requireHttpd, startApache } from "../../fixtures/httpd.ts";

const isRoot = process.geteuid?.() === 0;
const apache = await startApache(t, { authorizer: true, conf: "" });
const { folder, sidecar } = apache;
const file = join(folder, "mod-ts.config.json");
const written = JSON.parse(readFileSync(file, "utf8")) as Config;
const started = apache.sidecarLog();
const merged = await readMergedConfig(await requireHttpd(), join(folder, "httpd.conf"));

/** Rules and places of the findings, with a changed configuration. */
async function check(change: Config = {}): Promise<string[]> {
  writeFileSync(file, JSON.stringify({ ...written, ...change }));
  const findings = await checkSidecar(await loadConfig(folder), merged);
  return findings.map(({ level, rule, where, todo }) => {
    t.equal(todo === undefined, level === "ok");
    return `${rule ?? level} ${where}`;
  });
}

t.test("it runs", async (t) => {
  t.same(await check(), [`ok ${folder}/run`]);
  t.match(sidecarIdentity(join(folder, "run")), { user: process.geteuid?.() });
});

t.test("connections that send nothing leave no line in its log", (t) => {
  t.equal(apache.sidecarLog(), started);
  t.end();
});

t.test("secrets that everybody may read", (t) => {
  const path = join(folder, "private/secret");
  mkdirSync(join(folder, "private"));
  writeFileSync(path, "a-secret-of-the-sidecar");
  const judge = (secret: Config, mode: number, directory: number): unknown[] => {
    chmodSync(path, mode);
    chmodSync(join(folder, "private"), directory);
    const config = resolveConfig({ ...written, ...secret }, join(folder, "mod-ts.config.json"));
    return checkSecretFiles(config).map(({ rule, where }) => `${rule} ${where}`);
  };
  const found = [`secret-readable ${path}`];
  t.same(judge({ secretFile: path }, 0o644, 0o755), found);
  t.same(judge({ secrets: { db: { file: path } } }, 0o604, 0o711), found);
  t.same(judge({ secretFile: path }, 0o640, 0o755), [], "the file is closed");
  t.same(judge({ secretFile: path }, 0o644, 0o750), [], "its directory is closed");
  t.end();
});

t.test("a pool or a port that a restart would open", async (t) => {
  const pools = { ...written.pools, reports: { workers: 1 } };
  t.same(await check({ pools }), [`not-listening ${file}`]);
  t.same(await check({ authorizer: { port: 1 } }), [`not-listening ${file}`]);
});

t.test("a socket that is not Apache's", { skip: !isRoot && "needs root" }, async (t) => {
  const path = join(folder, "private.sock");
  const server = createServer((socket) => socket.destroy()).listen(path);
  await once(server, "listening");
  chmodSync(path, 0o600);
  const connections = { echo: { run: "echo.ts", path } };
  t.same(await check({ connections }), [`ok ${folder}/run`], "httpd need not open it");
  server.close();
});

t.test("a socket that httpd may not open", { skip: !isRoot && "needs root" }, async (t) => {
  const socket = join(folder, "run/main.sock");
  chmodSync(socket, 0o600);
  t.same(await check(), [`ok ${folder}/run`, `socket-closed ${socket}`]);
  chmodSync(socket, 0o660);
  chmodSync(join(folder, "run"), 0o700);
  t.ok((await check()).includes(`socket-closed ${socket}`));
  chmodSync(join(folder, "run"), 0o755);
  t.same(await check(), [`ok ${folder}/run`]);
});

t.test("a file of the running sidecar that was removed", async (t) => {
  for (const name of ["run/main.sock", "run/.control", "run"]) {
    const path = join(folder, name);
    renameSync(path, `${path}.away`);
    const [found, ...others] = await checkSidecar(await loadConfig(folder), undefined);
    renameSync(`${path}.away`, path);
    t.same(others, []);
    const rule = name === "run" ? "sidecar-down" : "not-listening";
    t.match(found, { rule, where: join(folder, "run"), todo: /^restart/ });
    t.match(found?.what, `${path} was removed`);
  }
  t.same(await check(), [`ok ${folder}/run`]);
});

t.test("its supervisor hangs", async (t) => {
  t.equal((await check()).length, 1);
  sidecar.kill("SIGSTOP");
  const [[found, ...others], reload] = await Promise.all([
    checkSidecar(await loadConfig(folder), undefined),
    askReload(join(folder, "run"), folder).catch((error: unknown) => error),
  ]);
  sidecar.kill("SIGCONT");
  t.match(found, { rule: "sidecar-down", what: /hangs: the sidecar did not answer/ });
  t.same(others, []);
  t.match(reload, { code: "MODTS_RELOAD_FAILED", message: /did not answer within/ });
  t.same(await check(), [`ok ${folder}/run`]);
});

t.test("it does not run", async (t) => {
  t.same(await check({ run: "elsewhere", authorizer: { port: 1 } }), [
    `sidecar-down ${folder}/elsewhere`,
  ]);
  const [another] = await checkSidecar(
    resolveConfig({ ...written, run: "elsewhere" }, file),
    undefined,
  );
  t.match(another?.what, "another process listens on 127.0.0.1:");
  sidecar.kill("SIGTERM");
  await once(sidecar, "exit");
  t.same(await check(), [`sidecar-down ${folder}/run`]);
  rmSync(join(folder, "run"), { recursive: true });
  t.same(await check(), [`sidecar-down ${folder}/run`]);
  t.equal(sidecarIdentity(join(folder, "run")), undefined);
});
