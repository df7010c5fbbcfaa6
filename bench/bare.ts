/**
 * The least that can answer behind mod_proxy, in as many processes as are asked for: what the
 * sidecar is measured against.
 */
import cluster from "node:cluster";
import { chmodSync } from "node:fs";
import { createServer } from "node:http";

const path = process.argv[2] as string;
const processes = Number(process.argv[3] ?? 1);
const body = "Hello from mod_ts!\n";
const large = Buffer.alloc(1 << 20, "x");
const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
  const content = request.url?.endsWith("?large") ? large : body;
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": content.length });
  response.end(content);
});
if (processes > 1 && cluster.isPrimary) for (let n = 0; n < processes; n += 1) cluster.fork();
else server.listen(path, () => chmodSync(path, 0o777));
