/** The least that can answer behind mod_proxy: what the sidecar is measured against. */
import { chmodSync } from "node:fs";
import { createServer } from "node:http";

const path = process.argv[2] as string;
const body = "Hello from mod_ts!\n";
const large = "x".repeat(1 << 20);
const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
  const text = request.url?.endsWith("?large") ? large : body;
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": text.length });
  response.end(text);
});
server.listen(path, () => chmodSync(path, 0o777));
