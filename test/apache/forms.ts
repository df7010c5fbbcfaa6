/** Forms through Apache, good ones and bad ones of every kind: the status, the reason, the log line, and a sidecar that goes on. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Reply, startApache } from "../fixtures/httpd.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const megabyte = 1024 ** 2;

const apache = await startApache(t, {
  conf: `
    <Location /form>
      Use TsHandler form.ts
    </Location>
    <Location /strict>
      Use TsHandler form.ts
      Use TsOption mod_ts.form.require_length on
    </Location>
    <Location /mistake>
      Use TsHandler form.ts
      Use TsOption mod_ts.form.feilds 10
    </Location>
    <Location /used>
      Use TsHandler form.ts::used
    </Location>
    <Location /broken-sink>
      Use TsHandler form.ts::brokenSink
    </Location>
    LimitRequestLine 100000
    LimitRequestFieldSize 100000
  `,
  config: { limits: { headerBytes: 600_000, bodyBytes: 20 * 1024 ** 2 } },
  handlers: {
    "form.ts": handlerFile("forms-form.ts"),
  },
});

const urlencoded = "application/x-www-form-urlencoded";
const multipart = "multipart/form-data; boundary=X";
const json = "application/json";

const post = (
  type: string | undefined,
  body: string | Buffer,
  path = "/form",
  more: Record<string, string> = {},
): Promise<Reply> =>
  apache.request(path, {
    method: "POST",
    headers: { ...(type !== undefined && { "Content-Type": type }), ...more },
    body,
  });

const part = (head: string, text: string): string =>
  `--X\r\nContent-Disposition: form-data; ${head}\r\n\r\n${text}\r\n`;
const end = "--X--\r\n";

t.test("the same fields in every form", async (t) => {
  const fields = [
    ["a", "1"],
    ["b", "ä €"],
    ["a", "2"],
    ["c", ""],
  ];
  const query = "a=1&b=%C3%A4+%E2%82%AC&a=2&c=";
  const parts = fields.map(([name, value]) => part(`name="${name}"`, value as string)).join("");
  const chunked = { "Transfer-Encoding": "chunked" };
  const replies = {
    query: await apache.request(`/form?${query}`),
    urlencoded: await post(urlencoded, query),
    both: await post(urlencoded, "a=2&c=", "/form?a=1&b=%C3%A4+%E2%82%AC"),
    multipart: await post(multipart, parts + end),
    chunked: await post(multipart, parts + end, "/form", chunked),
    quoted: await post('Multipart/Form-Data; Boundary="X"', parts + end),
    latin: await post(`${urlencoded}; charset=windows-1252`, "a=1&b=%E4+%80&a=2&c="),
    PUT: await apache.request("/form", {
      method: "PUT",
      headers: { "Content-Type": urlencoded },
      body: query,
    }),
  };
  for (const [name, reply] of Object.entries(replies)) {
    t.strictSame([reply.status, JSON.parse(reply.body)], [200, fields], name);
  }
  t.match(await apache.request(`/form?${query}`, { method: "HEAD" }), { status: 200, body: "" });
  t.equal(
    (await post(json, '{"a":["1","x"],"n":1.5,"t":true,"z":null}')).body,
    '[["a","1"],["a","x"],["n","1.5"],["t","true"]]',
  );
});

t.test("names that are dangerous elsewhere", async (t) => {
  const names = ["__proto__", "constructor", "toString", "a[b][c]", "a;b", "%"];
  const query = names.map((name) => `${encodeURIComponent(name)}=1`).join("&");
  const expected = names.map((name) => [name, "1"]);
  t.strictSame(JSON.parse((await apache.request(`/form?${query}`)).body), expected);
  t.strictSame(JSON.parse((await post(urlencoded, query)).body), expected);
  const members = names.map((name) => `${JSON.stringify(name)}:"1"`).join();
  t.strictSame(JSON.parse((await post(json, `{${members}}`)).body), expected);
});

t.test("names of files become harmless", async (t) => {
  const cases: [string, string][] = [
    ['filename="../../etc/passwd"', "passwd"],
    ['filename="C:\\x\\y.txt"', "y.txt"],
    ['filename="C:\\\\x\\\\y.txt"', "y.txt"],
    ['filename="a\0.txt"', "a.txt"],
    ['filename=".."', "file"],
    ['filename="/"', "file"],
    ['filename=".htaccess"', "htaccess"],
    ["filename*=UTF-8''..%2F..%2Fr%C3%BCck.txt", "rück.txt"],
    [`filename="${"n".repeat(5000)}.txt"`, `${"n".repeat(251)}.txt`],
  ];
  for (const [sent, file] of cases) {
    const { body } = await post(multipart, part(`name="f"; ${sent}`, "x") + end);
    t.strictSame(JSON.parse(body), [["f", { file, size: 1 }]], sent.slice(0, 50));
  }
});

t.test("10,000 fields are 413, in the query and in every body", async (t) => {
  const members = Array.from({ length: 10_000 }, (_, count) => `"a${count}":1`).join();
  const replies = [
    await apache.request(`/form?${"a=1&".repeat(10_000)}`),
    await post(urlencoded, "a=1&".repeat(10_000)),
    await post(multipart, part('name="a"', "1").repeat(10_000) + end),
    await post(json, `{${members}}`),
    await post(json, `{"a":[${"1,".repeat(10_000)}1]}`),
    // Two million of them: whoever lists all of them first does not answer in time.
    await post(urlencoded, "a&".repeat(2_000_000)),
  ];
  for (const reply of replies) {
    t.match(reply, { status: 413, body: "The form sends too much: more than 1000 fields.\n" });
    t.equal(reply.headers["content-type"], "text/plain; charset=utf-8", "plain text");
  }
});

t.test("names and values of many bytes are 413, and the answer shows little of them", async (t) => {
  const name = "n".repeat(megabyte);
  const value = "v".repeat(megabyte + 1);
  const replies = [
    await post(urlencoded, `${name}=1`),
    await post(multipart, part(`name="${name}"`, "1") + end),
    await post(json, `{"${name}":1}`),
    await post(urlencoded, `a=${value}`),
    await post(multipart, part('name="a"', value) + end),
    await post(json, `{"a":"${value}"}`),
    await apache.request(`/form?${"n".repeat(50_000)}=1`),
    await post(urlencoded, `a=${"v".repeat(9 * megabyte)}`),
    await post(multipart, part('name="a"', value.slice(0, megabyte - 1)).repeat(9) + end),
  ];
  for (const reply of replies) {
    t.equal(reply.status, 413, "too large a form is rejected");
    t.ok(reply.body.length < 150, reply.body);
  }
  const odd = await post(urlencoded, `%0D%0ASet-Cookie:%20a${"n".repeat(2000)}=1`);
  t.match(odd, { status: 413, body: '"\\r\\nSet-Cookie: an' });
  t.equal(odd.body.trim().split("\n").length, 1, "on one line");
});

t.test("broken multipart is 400 and says what is wrong", async (t) => {
  const file = part('name="f"; filename="a"', "x".repeat(50_000));
  const ended = /^The form is malformed: Unexpected end of multipart data\.\n$/;
  const broken: Record<string, [string, string, RegExp]> = {
    "no boundary in the type": ["multipart/form-data", file + end, /Boundary not found/],
    "a boundary of 300 bytes": [`multipart/form-data; boundary=${"b".repeat(300)}`, end, /needle/],
    "another boundary": [multipart, (file + end).replaceAll("--X", "--Y"), ended],
    "no closing boundary": [multipart, file, ended],
    "cut in the closing boundary": [multipart, `${file}--X-`, ended],
    "cut in a file": [multipart, file.slice(0, 30_000), ended],
    "cut in a header": [multipart, file.slice(0, 30), ended],
    "line feeds alone": [multipart, (file + end).replaceAll("\r", ""), ended],
    "a part without a name": [multipart, part("x=y", "1") + end, /a part has no name/],
    "no multipart at all": [multipart, "a=1&b=2", ended],
  };
  for (const [name, [type, body, reason]] of Object.entries(broken)) {
    t.match(await post(type, body), { status: 400, body: reason }, name);
  }
});

t.test("JSON that is no form is 400", async (t) => {
  const cases: [string, RegExp][] = [
    ["{", /not valid JSON/],
    ["[1]", /an object of names and values/],
    ["null", /an object of names and values/],
    ['{"a":{"b":1}}', /Field "a": a form in JSON holds text/],
    ['{"a":[[1]]}', /Field "a"/],
    [`${"[".repeat(megabyte)}`, /not valid JSON/],
  ];
  for (const [body, reason] of cases) {
    t.match(await post(json, body), { status: 400, body: reason }, body.slice(0, 20));
  }
});

t.test("types and charsets that nobody knows are 415", async (t) => {
  for (const type of ["text/plain", "multipart/mixed; boundary=X", "application/xml", "x"]) {
    t.match(await post(type, "a=1"), { status: 415, body: `not as "${type.split(";")[0]}"` });
  }
  t.match(await post(undefined, "a=1"), { status: 415, body: /nothing named by Content-Type/ });
  const charset = await post(`${urlencoded}; charset=klingon`, "a=1");
  t.match(charset, { status: 415, body: 'The charset "klingon" is not known.\n' });
  const long = await post(`text/${"x".repeat(5000)}`, "a=1");
  t.equal(long.status, 415);
  t.ok(long.body.length < 250);
});

t.test("411 where a length is required", async (t) => {
  t.equal((await post(urlencoded, "a=1", "/strict")).status, 200);
  t.equal((await apache.request("/strict?a=1")).status, 200, "no body, no length");
  const chunked = { "Transfer-Encoding": "chunked" };
  const long = await post(urlencoded, `a=${"x".repeat(20_000)}`, "/strict", chunked);
  t.match(long, { status: 411, body: /must say its length/ });
  // Apache reads a short body to its end before it asks us, and says its length (mod_proxy: MAX_MEM_SPOOL).
  const short = await post(urlencoded, `a=${"x".repeat(15_000)}`, "/strict", chunked);
  t.equal(short.status, 200);
});

t.test("over limits.bodyBytes: 413, with a log line", async (t) => {
  const body = part('name="f"; filename="a"', "x".repeat(21 * megabyte)) + end;
  for (const more of [{}, { "Transfer-Encoding": "chunked" }] as Record<string, string>[]) {
    t.equal(
      (await post(multipart, body, "/form", more)).status,
      413,
      "too large a form is rejected",
    );
  }
  const log = await until(() => apache.sidecarLog(), "MODTS_BODY_TOO_LARGE");
  t.match(
    log,
    /MODTS_BODY_TOO_LARGE: request body exceeds 20971520 bytes, set by limits\.bodyBytes .* \(form\.ts/,
  );
});

t.test("mistakes of our own are 500, with a log line", async (t) => {
  t.equal((await apache.request("/mistake?a=1")).status, 500);
  t.match(
    await until(() => apache.sidecarLog(), "MODTS_BAD_OPTION"),
    /MODTS_BAD_OPTION: invalid option mod_ts\.form\.feilds: unknown option/,
  );
  t.equal((await post(urlencoded, "a=1", "/used")).status, 500);
  t.match(
    await until(() => apache.sidecarLog(), "MODTS_BODY_USED"),
    /MODTS_BODY_USED: .* already used by req\.text\(\)/,
  );
  const file = part('name="f"; filename="a"', "x".repeat(100_000)) + end;
  t.equal((await post(multipart, file, "/broken-sink")).status, 500);
  t.match(
    await until(() => apache.sidecarLog(), "the sink is broken"),
    /MODTS_HANDLER_FAILED: form\.ts::brokenSink failed[^]*the sink is broken/,
  );
  const temporary = join(apache.folder, "run/tmp");
  chmodSync(temporary, 0o777);
  t.equal((await post(multipart, file)).status, 500);
  t.match(
    await until(() => apache.sidecarLog(), "MODTS_UPLOAD_FAILED"),
    /MODTS_UPLOAD_FAILED: cannot store an uploaded file in \S+\/run\/tmp: .*writable for others.* \(form\.ts/,
  );
  chmodSync(temporary, 0o700);
});

t.test("a client that leaves in the middle is no error", async (t) => {
  const client = new RawClient(apache.port);
  client.head("POST /form HTTP/1.1", `Content-Type: ${multipart}`, "Content-Length: 5000000");
  client.send(part('name="f"; filename="a"', "x".repeat(1_000_000)));
  client.leave();
  t.equal((await apache.request("/form?a=1")).status, 200);
});

t.test("of all this, nothing but what is the operator's came into the log", async (t) => {
  const log = await until(apache.sidecarLog, "MODTS_UPLOAD_FAILED");
  const codes = new Set(log.match(/MODTS_(?!RUNS_AS_ROOT)\w+/g));
  t.strictSame([...codes].toSorted(), [
    "MODTS_BAD_OPTION",
    "MODTS_BODY_TOO_LARGE",
    "MODTS_BODY_USED",
    "MODTS_HANDLER_FAILED",
    "MODTS_UPLOAD_FAILED",
  ]);
  t.equal((await apache.request("/form?a=1")).body, '[["a","1"]]', "and it goes on");
});
