import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import { probeListeners } from "../../../src/cli/commands/probe-listeners.ts";
import { modTs } from "../../fixtures/mod-ts.ts";
import { temporaryFolder } from "../../fixtures/httpd.ts";

t.test("a sidecar that does not run is exit code 2, in words and as JSON", async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, ".mod-ts"));
  t.match(await modTs("status", folder), { code: 2, stdout: /^down: MODTS_NOT_RUNNING/ });
  const { code, stdout } = await modTs("status", folder, "--json");
  t.match([code, JSON.parse(stdout)], [2, { state: "down", reasons: [/MODTS_NOT_RUNNING/] }]);
});

t.test("a socket that is closed, or answers something else, is named", async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, "other.sock");
  const server = createServer((socket) => socket.end("220 mail\r\n")).listen(path);
  t.teardown(() => server.close());
  const listeners = [
    { pool: "main", transport: "gateway", address: join(folder, "none.sock") },
    { pool: "main", transport: "gateway", address: path },
    { pool: "guards", transport: "authorizer", address: path },
  ];
  t.match(await probeListeners(listeners), [
    /pool main does not answer on .*none\.sock: .*ENOENT/,
    /pool main does not answer on .*other\.sock: /,
    /pool guards does not answer on .*other\.sock: not FastCGI/,
  ]);
});
