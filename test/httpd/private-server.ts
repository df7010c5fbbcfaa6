import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createPrivateServer, readTail } from "../../src/httpd/private-server.ts";
import { requireHttpd, temporaryFolder } from "../fixtures/httpd.ts";
import { isAlive } from "../fixtures/processes.ts";

const status = async (url: string): Promise<number> => (await fetch(url)).status;

t.test("starts, answers, stops, and again in the same directory", async (t) => {
  const directory = temporaryFolder(t);
  const httpd = await requireHttpd();
  const server = await createPrivateServer({ directory, httpd, conf: "" });
  t.equal(await status(`${server.url}/missing`), 404);
  t.ok(isAlive(server.pid));
  await server.stop();
  t.notOk(isAlive(server.pid));
  await t.rejects(fetch(server.url));
  t.match(readFileSync(server.accessLogFile, "utf8"), /GET \/missing/);
  await server.stop();
  const again = await createPrivateServer({ directory, httpd, conf: "", port: server.port });
  t.equal(again.port, server.port);
  await again.stop("graceful");
  await again.ended;
});

t.test("a mistake is told with httpd's own words", async (t) => {
  const directory = temporaryFolder(t);
  const httpd = await requireHttpd();
  await t.rejects(createPrivateServer({ directory, httpd, conf: "Nonsense On" }), {
    code: "MODTS_HTTPD_FAILED",
    message: /Invalid command 'Nonsense'/,
  });
});

t.test("a port that is taken is an error when it was asked for", async (t) => {
  const httpd = await requireHttpd();
  const first = await createPrivateServer({ directory: temporaryFolder(t), httpd, conf: "" });
  t.teardown(() => first.stop());
  const options = { directory: temporaryFolder(t), httpd, conf: "", port: first.port };
  await t.rejects(createPrivateServer(options), { message: /Address already in use/ });
});

t.test("when httpd is killed, its children end with it", async (t) => {
  const httpd = await requireHttpd();
  const server = await createPrivateServer({ directory: temporaryFolder(t), httpd, conf: "" });
  process.kill(server.pid, "SIGKILL");
  await server.ended;
  await t.rejects(fetch(server.url));
});

t.test("when we are killed, httpd ends; a new start waits for that", async (t) => {
  const directory = temporaryFolder(t);
  const program = `
    import { createPrivateServer, readTail } from ${JSON.stringify(join(import.meta.dirname, "../../src/httpd/private-server.ts"))};
    const server = await createPrivateServer(JSON.parse(process.argv[1]));
    console.log(server.pid);
    setInterval(() => {}, 1000);
  `;
  const httpd = await requireHttpd();
  const options = JSON.stringify({ directory, httpd, conf: "" });
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const pid = Number(line);
  t.ok(isAlive(pid));
  child.kill("SIGKILL");
  const server = await createPrivateServer({ directory, httpd, conf: "" });
  t.teardown(() => server.stop());
  t.notOk(isAlive(pid));
  t.ok(existsSync(join(directory, "logs/httpd.pid")));
  t.equal(await status(`${server.url}/missing`), 404);
});

t.test("the last lines of a file", async (t) => {
  const directory = t.testdir({ log: "1\n2\n3\n", empty: "" });
  t.equal(readTail(join(directory, "log"), 2), "2\n3\n");
  t.equal(readTail(join(directory, "log")), "1\n2\n3\n");
  t.equal(readTail(join(directory, "empty")), "");
  t.equal(readTail(join(directory, "missing")), "");
});
