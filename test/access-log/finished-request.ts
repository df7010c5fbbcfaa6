import t from "tap";
import { LineReader } from "../../src/access-log/finished-request.ts";

const fields: Record<string, string | number> = {
  time: 1_700_000_000_250_000,
  duration: 1500,
  status: 404,
  bytes: 12,
  connection: "+",
  client: "192.0.2.1",
  clientPort: "40000",
  peer: "127.0.0.1",
  user: "-",
  remoteUser: "-",
  method: "GET",
  request: "GET /k%C3%A4se?x=1 HTTP/1.1",
  protocol: "HTTP/1.1",
  uri: "/k\\xc3\\xa4se",
  query: "?x=1",
  server: "www.example.test",
  port: "443",
  file: "/srv/k\\xc3\\xa4se",
  type: "text/html",
  host: "www.example.test",
  referer: "-",
  agent: 'a\\"b\\\\c\\x01\\v\\t\\xe4',
  id: "-",
  notes: "-",
  handler: "-",
  gateway: "proxy:unix:/run/mod-ts/main.sock|http://main.mod-ts",
  log: "https\\nlog a.ts b.ts::name",
};

function line(changes: Record<string, string | number> = {}): Buffer {
  const members = Object.entries({ ...fields, ...changes }).map(([name, value]) =>
    typeof value === "number" ? `"${name}":${value}` : `"${name}":"${value}"`,
  );
  return Buffer.from(`{${members.join(",")}}`, "latin1");
}

const reader = new LineReader("main");

t.test("a line becomes a request that is over", (t) => {
  const { req, directives } = reader.read(line())!;
  t.strictSame(
    [req.status, req.bytesSent, req.requestTime, req.duration, req.headersSent],
    [404, 12, 1_700_000_000.25, 0.0015, true],
    "with its outcome and times in seconds",
  );
  t.strictSame(
    [req.uri, req.args, req.filename, req.unparsedUri, req.isHttps(), req.user],
    ["/käse", "x=1", "/srv/käse", "/k%C3%A4se?x=1", true, null],
    "names are decoded",
  );
  t.equal(req.headersIn.get("User-Agent"), 'a"b\\c\x01\v\tä', "escapes of httpd are undone");
  t.equal(req.headersIn.get("Referer"), undefined, "a missing header is missing");
  t.strictSame(
    directives.handlers.get("log")?.plain.map(({ text }) => text),
    ["a.ts", "b.ts::name"],
    "the handlers of the section",
  );
  t.throws(() => (req.status = 200), { code: "MODTS_HEADERS_SENT" }, "nothing can be changed");
  t.end();
});

t.test("inner sections replace the handlers of outer ones", (t) => {
  const { directives } = reader.read(line({ log: "http\\nhttp\\nlog outer.ts\\nlog inner.ts" }))!;
  t.strictSame(
    directives.handlers.get("log")?.plain.map(({ text }) => text),
    ["inner.ts"],
  );
  t.end();
});

t.test("the user of a ticket, and a client that left", (t) => {
  const { req } = reader.read(line({ remoteUser: "ann", connection: "X" }))!;
  t.equal(req.user, "ann", "REMOTE_USER where Apache itself has no user");
  t.ok(req.signal.aborted, "an incomplete response");
  t.end();
});

t.test("an empty user, which httpd writes as two quotes", (t) => {
  const agent = String.raw`\"user\":\"\"\"\"`;
  const { req } = reader.read(line({ user: '""', agent }))!;
  t.equal(req.user, null);
  t.equal(req.headersIn.get("User-Agent"), '"user":""""');
  t.end();
});

t.test("lines that are not for these handlers", (t) => {
  const gateway = String(fields["gateway"]);
  t.equal(reader.read(line({ handler: gateway })), undefined, "the gateway has run them");
  t.equal(reader.read(line(), 1_700_000_001), undefined, "before the first start");
  t.ok(reader.read(line(), 1_700_000_000), "after it");
  t.throws(() => reader.read(Buffer.from('{"time":')), { code: "MODTS_ACCESS_LOG_LINE" });
  t.throws(() => reader.read(line({ log: "http\\nlog ::x" })), { code: "MODTS_BAD_REFERENCE" });
  t.end();
});
