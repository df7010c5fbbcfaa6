import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createPrivateServer } from "../../src/httpd/private-server.ts";
import { requireHttpd, temporaryFolder } from "../fixtures/httpd.ts";

const status = async (url: string): Promise<number> => (await fetch(url)).status;

t.test("starts, answers, stops, and again in the same folder", async (t) => {
  const folder = temporaryFolder(t);
  const httpd = await requireHttpd();
  const server = await createPrivateServer({ folder, httpd, conf: "" });
  t.equal(await status(`${server.url}/missing`), 404);
  t.ok(isAlive(server.pid));
  await server.stop();
  t.notOk(isAlive(server.pid));
  await t.rejects(fetch(server.url));
  t.match(readFileSync(server.accessLogFile, "utf8"), /GET \/missing/);
  await server.stop();
  const again = await createPrivateServer({ folder, httpd, conf: "", port: server.port });
  t.equal(again.port, server.port);
  await again.stop("graceful");
  await again.ended;
});

t.test("a mistake is told with httpd's own words", async (t) => {
  const folder = temporaryFolder(t);
  const httpd = await requireHttpd();
  await t.rejects(createPrivateServer({ folder, httpd, conf: "Nonsense On" }), {
    code: "MODTS_HTTPD_FAILED",
    message: /Invalid command 'Nonsense'/,
  });
});

t.test("a port that is taken is an error when it was asked for", async (t) => {
  const httpd = await requireHttpd();
  const first = await createPrivateServer({ folder: temporaryFolder(t), httpd, conf: "" });
  t.teardown(() => first.stop());
  const options = { folder: temporaryFolder(t), httpd, conf: "", port: first.port };
  await t.rejects(createPrivateServer(options), { message: /Address already in use/ });
});

t.test("when httpd is killed, its children end with it", async (t) => {
  const httpd = await requireHttpd();
  const server = await createPrivateServer({ folder: temporaryFolder(t), httpd, conf: "" });
  process.kill(server.pid, "SIGKILL");
  await server.ended;
  await t.rejects(fetch(server.url));
});

t.test("when we are killed, httpd ends; a new start waits for that", async (t) => {
  const folder = temporaryFolder(t);
  const program = `
    import { createPrivateServer } from ${JSON.stringify(join(import.meta.dirname, "../../src/httpd/private-server.ts"))};
    const server = await createPrivateServer(JSON.parse(process.argv[1]));
    console.log(server.pid);
    setInterval(() => {}, 1000);
  `;
  const httpd = await requireHttpd();
  const options = JSON.stringify({ folder, httpd, conf: "" });
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const pid = Number(line);
  t.ok(isAlive(pid));
  child.kill("SIGKILL");
  const server = await createPrivateServer({ folder, httpd, conf: "" });
  t.teardown(() => server.stop());
  t.notOk(isAlive(pid));
  t.ok(existsSync(join(folder, "logs/httpd.pid")));
  t.equal(await status(`${server.url}/missing`), 404);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
