/** Arguments of `mod_ts/publisher`: by name, from query and form, and by schema. */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { publishedFolder } from "../fixtures/published-folder.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: publishedFolder,
  handlers: handlerFiles("publisher-arguments"),
});
symlinkSync(join(import.meta.dirname, "../../node_modules"), join(apache.folder, "node_modules"));

const form = { "content-type": "application/x-www-form-urlencoded" };
const get = async (path: string): Promise<string> => {
  const { status, body } = await apache.request(`/pub/args/${path}`);
  return status === 200 ? body : `${status} ${body}`;
};
const post = (path: string, body: string, headers: Record<string, string> = form) =>
  apache.request(`/pub/${path}`, {
    method: "POST",
    body,
    headers: { ...headers, "content-length": String(Buffer.byteLength(body)) },
  });

t.test("fields by the names of parameters", async (t) => {
  for (const [path, expected] of [
    ["name?name=ann", '["ann"]'],
    ["name?name=", '[""]'],
    ["name?name=%C3%A4+b", '["ä b"]'],
    ["name?name=a&name=b", '[["a","b"]]'],
    ["name?name=a&unknown=b", '["a"]'],
    ["defaults?name=ann", '["the request","ann",3,[]]'],
    [
      "defaults?age=7&name=ann&x=1&y=2&x=3",
      '["the request","ann","7",[["x","1"],["y","2"],["x","3"]]]',
    ],
    ["arrow?a=1&b=2", '["1","2"]'],
    ["pattern?name=ann", '["ann",["none"],"the request",{}]'],
    ["pattern?name=ann&tags=x&tags=y&z=1", '["ann",["x","y"],"the request",{"z":"1"}]'],
    ["renamed?first-name=ann&b=four", '["ann",4]'],
    ["optional", '["A"]'],
    ["optional?a=B", '["B"]'],
    ["none?a=1", '["nothing"]'],
    ["everything?b=1&a=2", '[[["b","1"],["a","2"]]]'],
    ["own/greet?name=ann", "hi ann"],
    ["parts?name=ann", "hello ann"],
    ["again?name=a&b=c", '["a",["name","b"]]'],
  ] as const) {
    t.equal(await get(path), expected, path);
  }
});

t.test("names that mean something elsewhere", async (t) => {
  for (const [path, expected] of [
    ["defaults?name=ann&req=evil", '["the request","ann",3,[]]'],
    ["pattern?name=ann&req=evil", '["ann",["none"],"the request",{}]'],
    ["proto?constructor=1", '["1","default"]'],
    ["proto?constructor=1&toString=2", '["1","2"]'],
    ["proto?toString=2", "400 constructor: is missing\n"],
    ["name?__proto__=x", "400 name: is missing\n"],
    [
      "pattern?name=ann&__proto__=x&constructor=y",
      '["ann",["none"],"the request",{"__proto__":"x","constructor":"y"}]',
    ],
    ["everything?__proto__=x&req=y&constructor=z", '[[["__proto__","x"],["constructor","z"]]]'],
  ] as const) {
    t.equal(await get(path), expected, path);
  }
});

t.test("what is missing is a 400 that names all of it", async (t) => {
  t.equal(await get("two?b=1"), "400 a: is missing\nc: is missing\n");
  t.equal(await get("pattern"), "400 name: is missing\n");
  t.equal(await get("renamed?b=1"), "400 first-name: is missing\n");
  const reply = await apache.request("/pub/args/two", { headers: { accept: "application/json" } });
  t.match(reply, { status: 400, headers: { "content-type": "application/json", vary: "Accept" } });
  t.same(JSON.parse(reply.body), {
    problems: ["a", "b", "c"].map((parameter) => ({ parameter, message: "is missing" })),
  });
});

t.test("forms", async (t) => {
  t.match(await post("args/two?a=1", "b=2&c=3"), { body: '["1","2","3"]' });
  t.match(await post("args/name?name=query", "name=body"), { body: '[["query","body"]]' });
  const json = { "content-type": "application/json" };
  t.match(await post("args/two", '{"a":1,"b":[true,"x"],"c":"y"}', json), {
    body: '["1",["true","x"],"y"]',
  });
  t.match(await post("args/name", "text", { "content-type": "text/plain" }), { status: 415 });
  t.match(await post("args/onlyReq", "not a form", { "content-type": "text/plain" }), {
    status: 200,
    body: '["not a form"]',
  });
  const multipart = [
    "--x",
    'Content-Disposition: form-data; name="doc"; filename="../a.txt"',
    "Content-Type: text/x-doc",
    "",
    "content",
    "--x",
    'Content-Disposition: form-data; name="note"',
    "",
    "noted",
    "--x--",
    "",
  ].join("\r\n");
  t.match(
    await post("args/file", multipart, { "content-type": "multipart/form-data; boundary=x" }),
    {
      body: "a.txt text/x-doc 7 content noted",
    },
  );
});

t.test("too many fields", async (t) => {
  const many = "a&".repeat(3900);
  t.equal((await apache.request(`/pub/args/everything?${many}`)).status, 413);
  t.equal((await apache.request(`/pub/args/none?${many}`)).status, 200, "nobody asks for them");
  t.equal((await apache.request(`/pub/args/everything?${"a=1&".repeat(10_000)}`)).status, 414);
  t.equal((await post("args/everything", "a=1&".repeat(10_000))).status, 413);
});

t.test("text from a client becomes no page", async (t) => {
  const page = encodeURIComponent("<html><script>alert(1)</script></html>");
  for (const name of ["greet", "is", "echo"]) {
    const { headers } = await apache.request(`/pub/args/${name}?text=${page}`);
    t.equal(headers["content-type"], "text/plain; charset=utf-8", name);
  }
});

t.test("nor does a file", async (t) => {
  const typeOf = async (name: string, text: string): Promise<string | undefined> => {
    const head = 'Content-Disposition: form-data; name="doc"; filename="a.txt"';
    const { headers } = await apache.request(`/pub/args/${name}`, {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: `--b\r\n${head}\r\n\r\n${text}\r\n--b--\r\n`,
    });
    return headers["content-type"];
  };
  const page = "<html><script>alert(1)</script></html>";
  t.equal(await typeOf("read", page), "text/plain; charset=utf-8");
  t.equal(await typeOf("read", `\ufeff ${page}`), "text/plain; charset=utf-8");
  t.equal(await typeOf("thank", page), "text/html; charset=utf-8", "a page of the author's");
  t.equal(await typeOf("thank", ""), "text/html; charset=utf-8");
});

t.test("methods of one's own", async (t) => {
  const ask = (method: string) => apache.request("/pub/args/put?name=a", { method });
  t.match(await ask("PUT"), { status: 200, body: "put a" });
  t.match(await ask("HEAD"), { status: 200, body: "" });
  t.match(await ask("POST"), { status: 405, headers: { allow: "PUT, GET, HEAD" } });
  t.match(await apache.request("/pub/args/wrong"), { status: 500 });
  t.match(await until(() => apache.sidecarLog(), "methods: must be a list"), "methods: must be");
});

t.test("Standard Schema", async (t) => {
  const ask = (query: string, headers = {}) => apache.request(`/pub/schemas/${query}`, { headers });
  t.same(JSON.parse((await ask("byZod?name=ann&age=7&tags=a&tags=b&x=1")).body), {
    name: "ann",
    age: 7,
    tags: ["a", "b"],
    method: "GET",
  });
  const reply = await ask("byZod?name=a&age=x&tags=a", { accept: "application/json" });
  t.equal(reply.status, 400);
  t.same(
    JSON.parse(reply.body).problems.map(({ parameter }: { parameter: string }) => parameter),
    ["name", "age", "tags"],
  );
  t.match(await ask("byZod"), { status: 400, body: /^name: .+\n$/ });
  t.match(await ask("byZod?name=a&name=b"), { status: 400, body: /^name: / });
  t.match(await ask("late?name=free"), { status: 200, body: "free" });
  t.match(await ask("late?name=taken"), { status: 400, body: "name: is taken\n" });
  t.match(await ask("list?tags=a&tags=b"), { body: '["a","b"]' });
  t.match(await ask("throws"), { status: 409 });
});

t.test("JSON Schema", async (t) => {
  const ask = (query: string) => apache.request(`/pub/schemas/${query}`);
  t.same(JSON.parse((await ask("byModule?n=1.5&yes=true&list=3&x=1")).body), {
    args: { n: 1.5, yes: true, list: [3] },
    uri: "/pub/schemas/byModule",
  });
  t.same(JSON.parse((await ask("byModule?n=1&list=3&list=4")).body).args, {
    n: 1,
    list: [3, 4],
    yes: false,
  });
  t.match(await ask("byModule?n=a&yes=maybe&list=1&list=b"), {
    status: 400,
    body: "n: must be number\nyes: must be boolean\nlist.1: must be integer\n",
  });
  t.match(await ask("byModule?n=1&n=2"), { status: 400, body: "n: must be number\n" });
  t.match(await ask("byModule"), { status: 400, body: "n: is missing\n" });
  t.match(await ask("byModule?n=1&__proto__=x&constructor=y"), { status: 200 });
  t.match(await ask("byProperty?count=2"), { body: '{"count":2}' });
  t.match(await ask("byProperty?count=0"), { status: 400, body: "count: must be >= 1\n" });
  t.match(await ask("open?a=1&b=2"), { body: '{"a":"1","b":"2"}' });
});

t.test("a schema that is wrong is a 500 that says so", async (t) => {
  for (const name of ["wrong", "future", "text"]) {
    t.equal((await apache.request(`/pub/schemas/${name}`)).status, 500, name);
  }
  const log = await until(() => apache.sidecarLog(), "schemas.ts/text: not an object");
  t.match(log, /MODTS_BAD_SCHEMA: invalid schema of \S+\/schemas\.ts\/wrong: schema is invalid/);
  t.match(log, "schemas.ts/future: Standard Schema 2, not 1");
  t.match(log, "schemas.ts/text: not an object");
});
