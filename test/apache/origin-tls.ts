/** Another server over TLS: it is asked only when its certificate is good, and for its own name. */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import t from "tap";
import { type CertificateFiles, createCertificate } from "../fixtures/certificate.ts";
import { startApache, temporaryFolder } from "../fixtures/httpd.ts";
import { listen } from "../fixtures/listen.ts";
import { until } from "../fixtures/until.ts";

const folder = temporaryFolder(t);
const known = createCertificate(folder, "localhost");
const other = createCertificate(folder, "other.example");
const body = randomBytes(3_000_000);
let requests = 0;

async function startTls({ cert, key }: CertificateFiles): Promise<number> {
  const options = { cert: readFileSync(cert), key: readFileSync(key) };
  const server = createServer(options, (message, response) => {
    requests += 1;
    if (message.url !== "/chunks") return response.end(body);
    for (let at = 0; at < body.length; at += 70_000) {
      response.write(body.subarray(at, at + 70_000));
    }
    return response.end();
  });
  server.on("tlsClientError", () => {});
  return listen(t, server);
}

const [good, stranger] = [await startTls(known), await startTls(other)];
// The sidecar trusts whom its Node.js trusts.
process.env["NODE_EXTRA_CA_CERTS"] = known.cert;
const section = (path: string, url: string): string => `
  <Location "${path}">
    Use TsHandler mod_ts/origin
    Use TsOption mod_ts.origin.url ${url}
  </Location>`;
const apache = await startApache(t, {
  conf: [
    section("/good", `https://localhost:${good}/`),
    section("/chunks", `https://localhost:${good}/chunks`),
    section("/number", `https://127.0.0.1:${good}/`),
    section("/stranger", `https://localhost:${stranger}/`),
  ].join("\n"),
});

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

t.test("whole, several at a time, on kept connections", async (t) => {
  const paths = ["/good", "/chunks", "/good", "/chunks", "/good", "/chunks"];
  for (let round = 0; round < 3; round += 1) {
    const answers = await Promise.all(paths.map((path) => fetch(apache.url + path)));
    const hashes = await Promise.all(answers.map(async (answer) => hashOf(await answer.bytes())));
    t.strictSame(new Set(hashes), new Set([hashOf(body)]));
  }
});

t.test("a certificate of somebody else, or one that nobody vouches for: 502", async (t) => {
  const before = requests;
  for (const path of ["/number", "/stranger"]) {
    t.equal((await apache.request(path)).status, 502, path);
  }
  t.equal(requests, before, "nothing was asked");
  for (const line of [
    /MODTS_ORIGIN_DOWN: .*127\.0\.0\.1:\d+.*(?:altnames|does not match)/,
    /MODTS_ORIGIN_DOWN: .*localhost:\d+.*self-signed/,
  ]) {
    t.match(await until(apache.sidecarLog, line), line);
  }
});
