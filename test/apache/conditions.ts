/** Conditions, ranges and compression of what handlers make, through Apache. */
import { gunzipSync } from "node:zlib";
import { request } from "node:http";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const apache = await startApache(t, {
  modules: ["mod_deflate", "mod_filter"],
  conf: `
    <Location /report>
      Use TsHandler report.ts
    </Location>
    <Location /packed>
      Use TsHandler report.ts
      SetOutputFilter DEFLATE
    </Location>
    <Location /stream>
      Use TsHandler report.ts::stream
      SetOutputFilter DEFLATE
    </Location>
  `,
  handlers: {
    "report.ts": handlerFile("conditions-report.ts"),
  },
});

t.test("304, 412 and 206 reach the client", async (t) => {
  const whole = await apache.request("/report");
  const { etag = "", "last-modified": modified = "" } = whole.headers;
  t.match(whole, { status: 200, headers: { "content-length": "2000" } });
  const ask = (headers: Record<string, string>) => apache.request("/report", { headers });
  const fresh = await ask({ "if-none-match": etag });
  t.match(fresh, { status: 304, body: "", headers: { etag } });
  t.equal((await ask({ "if-modified-since": modified })).status, 304);
  t.equal((await ask({ "if-match": '"other"' })).status, 412);
  t.match(await ask({ range: "bytes=10-14", "if-range": etag }), {
    status: 206,
    body: "01234",
    headers: { "content-range": "bytes 10-14/2000" },
  });
  t.match(await ask({ range: "bytes=9999-" }), {
    status: 416,
    headers: { "content-range": "bytes */2000" },
  });
});

t.test("mod_deflate compresses what a handler made, whole or in parts", async (t) => {
  for (const [path, length] of [
    ["/packed", 2000],
    ["/stream", 6000],
  ] as const) {
    const { encoding, vary, body } = await packed(path);
    t.equal(encoding, "gzip", path);
    t.match(vary, /accept-encoding/i);
    t.ok(body.length < length / 4, `${body.length} bytes`);
    t.equal(gunzipSync(body).length, length);
  }
  const plain = await apache.request("/packed");
  t.match(plain, { status: 200, headers: { "content-length": "2000" } });
});

function packed(path: string): Promise<{ encoding?: string; vary?: string; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const options = { headers: { "accept-encoding": "gzip" }, agent: false };
    const ask = request(new URL(path, apache.url), options, (reply) => {
      const parts: Buffer[] = [];
      reply.on("data", (part: Buffer) => parts.push(part)).once("error", reject);
      reply.once("end", () =>
        resolve({
          encoding: String(reply.headers["content-encoding"]),
          vary: String(reply.headers.vary),
          body: Buffer.concat(parts),
        }),
      );
    });
    ask.once("error", reject).end();
  });
}
