import { inspect } from "node:util";
import t from "tap";
import { serve } from "../../fixtures/exchange-server.ts";
import {
  installLightResponse,
  LightResponse,
  lightResponseOver,
} from "../../../src/request/response/light-response.ts";

const Real = globalThis.Response;
const Light = lightResponseOver(Real);

type Make = (type: typeof Response) => Response;

const bytes = new Uint8Array([104, 195, 182]);
const form = new FormData();
form.set("a", "1");

const valid: Record<string, Make> = {
  nothing: (type) => new type(),
  "undefined and null": (type) => new type(undefined, undefined),
  null: (type) => new type(null, { status: 204, statusText: "Nothing here" }),
  text: (type) => new type("hö"),
  "a lone surrogate": (type) => new type("a\ud800b"),
  "empty text": (type) => new type(""),
  bytes: (type) => new type(bytes),
  "a part of a buffer": (type) => new type(Buffer.from("abcdef").subarray(2, 4)),
  "no bytes": (type) => new type(new Uint8Array()),
  "a buffer": (type) => new type(bytes.slice().buffer),
  "a view": (type) => new type(new DataView(bytes.slice().buffer, 1)),
  "shared memory": (type) => new type(new Uint8Array(new SharedArrayBuffer(1))),
  "a detached buffer": (type) => new type(detachedBuffer()),
  "query parameters": (type) => new type(new URLSearchParams({ a: "1 2" })),
  "a form": (type) => new type(new URLSearchParams("a=1"), { status: 400 }),
  "a blob": (type) => new type(new Blob(["x"], { type: "image/png" })),
  "a stream": (type) => new type(new Blob(["x"]).stream()),
  "an object as text": (type) => new type({ toString: () => "text" } as unknown as string),
  "a number as text": (type) => new type(5 as unknown as string),
  "a type": (type) => new type("<b>", { headers: { "Content-Type": "text/html" } }),
  "pairs of headers": (type) =>
    new type("x", {
      headers: [
        ["X-A", "1"],
        ["x-a", " 2 "],
        ["Set-Cookie", "a=1"],
        ["Set-Cookie", "b=2"],
      ],
    }),
  "headers with cookies": (type) => {
    const headers = new Headers({ "X-A": "1" });
    headers.append("Set-Cookie", "a=1");
    headers.append("Set-Cookie", "b=2");
    return new type("x", { headers });
  },
  "a status as text": (type) => new type("x", { status: "404" as unknown as number }),
  "a fraction of a status": (type) => new type("x", { status: 404.5 }),
  "no head": (type) => new type("x", null as unknown as ResponseInit),
  "the head of another": (type) =>
    new type("x", new type("y", { status: 418, statusText: "Pot", headers: { "X-A": "1" } })),
  "the head of a real one": (type) => new type("x", new Real("y", { status: 418 })),
  "the body of another": (type) => new type(new type("y").body, { status: 201 }),
  "a clone": (type) => new type("x", { status: 201, headers: { "X-A": "1" } }).clone(),
  "a clone of bytes": (type) => new type(bytes).clone(),
  "a clone of nothing": (type) => new type(null, { status: 304 }).clone(),
  json: (type) => type.json({ a: ["ö"] }),
  "json with a head": (type) =>
    type.json(null, { status: 400, headers: { "content-type": "application/problem+json" } }),
  "json with headers": (type) => type.json("x", { headers: { "X-A": "1" } }),
  "json with a status as text": (type) => type.json(1, { status: "201" as unknown as number }),
  redirect: (type) => type.redirect("http://x.example/a"),
  "redirect forever": (type) => type.redirect("http://x.example/a", 301),
  error: (type) => type.error(),
};

function detachedBuffer(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  buffer.transfer();
  return buffer;
}

async function describe(make: Make, type: typeof Response): Promise<object> {
  const response = make(type);
  const { status, statusText, ok, url, redirected, bodyUsed } = response;
  const headers = [...response.headers];
  const clone = response.clone();
  const body = await response.text();
  const again = await response.text().catch((error: Error) => error.name);
  const kind = (await clone.blob()).type;
  const isInstance = response instanceof type && response instanceof Real;
  const tag = Object.prototype.toString.call(response);
  const known = { type: response.type, status, statusText, ok, url, redirected, bodyUsed, headers };
  const read = { body, again, isUsed: response.bodyUsed, hasBody: response.body !== null, kind };
  return { ...known, ...read, isInstance, tag };
}

for (const [name, make] of Object.entries(valid)) {
  t.test(`like the one of Node.js: ${name}`, async (t) => {
    t.strictSame(await describe(make, Light), await describe(make, Real));
  });
}

const invalid: Record<string, Make> = {
  "a status below 200": (type) => new type("x", { status: 199 }),
  "a status above 599": (type) => new type("x", { status: 600 }),
  "a body of 204": (type) => new type("x", { status: 204 }),
  "an empty body of 304": (type) => new type("", { status: 304 }),
  "json of 205": (type) => type.json(1, { status: 205 }),
  "a reason of two lines": (type) => new type("x", { statusText: "a\r\nb" }),
  "a reason in Greek": (type) => new type("x", { statusText: "\u03b1" }),
  "a name with a space": (type) => new type("x", { headers: { "a b": "1" } }),
  "a value of two lines": (type) => new type("x", { headers: { a: "1\r\nb: 2" } }),
  "headers that are none": (type) => new type("x", { headers: 5 as unknown as Headers }),
  "no headers": (type) => new type("x", { headers: null as unknown as Headers }),
  "a head that is none": (type) => new type("x", 5 as unknown as ResponseInit),
  "a symbol": (type) => new type(Symbol("x") as unknown as string),
  "json of undefined": (type) => type.json(undefined),
  "json of a circle": (type) => {
    const circle: unknown[] = [];
    circle.push(circle);
    return type.json(circle);
  },
  "a redirect with 200": (type) => type.redirect("http://x.example/", 200 as 302),
  "a clone of a used one": (type) => {
    const response = new type("x");
    void response.text();
    return response.clone();
  },
};

function failure(make: Make, type: typeof Response): unknown {
  try {
    return make(type);
  } catch (error) {
    return (error as Error).name;
  }
}

for (const [name, make] of Object.entries(invalid)) {
  t.test(`fails like the one of Node.js: ${name}`, async (t) => {
    const expected = failure(make, Real);
    t.type(expected, "string");
    t.equal(failure(make, Light), expected);
  });
}

t.test("bytes are those of the moment, whatever becomes of them", async (t) => {
  for (const length of [10, 10_000, 300_000]) {
    const data = Buffer.alloc(length, "a");
    const response = new Light(data);
    const copy = response.clone();
    data.fill("b");
    t.ok((await response.text()) === "a".repeat(length));
    const other = new Light(Buffer.alloc(length, "c"));
    t.ok((await copy.text()) === "a".repeat(length), "a clone has bytes of its own");
    t.ok((await other.text()) === "c".repeat(length));
  }
});

t.test("headers can be changed until it is sent, in whatever order", async (t) => {
  const response = new Light("x", { headers: { "X-A": "1" } });
  const { headers } = response;
  t.equal(await response.clone().text(), "x");
  headers.set("Content-Type", "text/csv");
  t.equal(response.headers, headers);
  t.equal((await response.blob()).type, "text/csv");
});

t.test("a form of its own", async (t) => {
  const type = "application/x-www-form-urlencoded";
  const response = new Light("a=1", { headers: { "Content-Type": type } });
  t.strictSame([...(await response.formData())], [["a", "1"]]);
  await t.rejects(response.formData(), TypeError, "once");
  t.strictSame([...(await new Light(form).formData())], [["a", "1"]]);
});

t.test("the stream of a body", async (t) => {
  const response = new Light(Buffer.from("abc"));
  const { body } = response;
  t.equal(response.body, body, "the same at each look");
  t.equal(response.bodyUsed, false);
  const reader = body!.getReader();
  t.strictSame(await reader.read(), { done: false, value: new Uint8Array([97, 98, 99]) });
  t.equal(response.bodyUsed, true);
  t.equal(new Light().body, null);
});

t.test("a subtype", async (t) => {
  class Page extends Light {
    constructor(text: string) {
      super(text, { headers: { "Content-Type": "text/html" } });
    }
    get length(): string | null {
      return this.headers.get("Content-Length");
    }
  }
  const page = new Page("<b>");
  t.ok(page instanceof Page && page instanceof Light && page instanceof Real);
  t.equal(page.length, null);
  t.notOk(page.clone() instanceof Page, "as with the one of Node.js");
  t.equal(await page.text(), "<b>");
  t.notOk(new Light() instanceof Page);
  t.ok(Page.json(1) instanceof Light);
});

t.test("what others know about it", async (t) => {
  const response = new Light("x");
  t.ok(new Real("x") instanceof Light, "a response of fetch");
  for (const other of [{}, null, 5, Light]) t.notOk(other instanceof Light);
  t.equal(Light.name, Real.name);
  t.equal(response.constructor, Light);
  t.throws(() => structuredClone(response), { name: "DataCloneError" });
  t.equal(inspect(response), inspect(new Real("x")));
  const keys: string[] = [];
  for (const key in response) keys.push(key);
  t.strictSame(keys.toSorted(), Reflect.ownKeys(keysOf(new Real("x"))).toSorted());
  const real = new Real(new Light("body").body, new Light("", { status: 404 }));
  t.equal(real.status, 404);
  t.equal(await real.text(), "body");
});

function keysOf(value: object): Record<string, true> {
  const keys: Record<string, true> = {};
  for (const key in value) keys[key] = true;
  return keys;
}

t.test("WebAssembly is compiled from it", async (t) => {
  // TypeScript knows it in browsers only.
  const { compileStreaming } = Reflect.get(globalThis, "WebAssembly") as {
    compileStreaming(response: Response): Promise<object>;
  };
  const empty = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
  const response = new Light(empty, { headers: { "Content-Type": "application/wasm" } });
  t.match(inspect(await compileStreaming(response)), "Module");
});

t.test("it is sent in one piece, with the type that it has", async (t) => {
  const answers: Record<string, () => Response> = {
    "/text": () => new Light("grün"),
    "/typed": () => new Light("x", { status: 201, headers: { "Content-Type": "text/plain" } }),
    "/json": () => Light.json({ a: "ö" }),
    "/bytes": () => new Light(Buffer.from("grün")),
    "/large": () => new Light("ü".repeat(500_000)),
    "/large-bytes": () => new Light(Buffer.alloc(1 << 20, "x")),
    "/none": () => new Light(null, { status: 204 }),
    "/wrong": () => new Light("xyz", { headers: { "Content-Length": "2" } }),
  };
  const server = await serve(t, (req) => answers[req.unparsedUri]!());
  const expected: [path: string, type: string | undefined, length: string | undefined][] = [
    ["/text", "text/plain;charset=UTF-8", "5"],
    ["/typed", "text/plain", "1"],
    ["/json", "application/json", "10"],
    ["/bytes", undefined, "5"],
    ["/large", "text/plain;charset=UTF-8", "1000000"],
    ["/large-bytes", undefined, "1048576"],
    ["/none", undefined, undefined],
    ["/wrong", "text/plain;charset=UTF-8", "3"],
  ];
  for (const [path, type, length] of expected) {
    const answer = await server.ask(`GET ${path}`);
    t.equal(answer.headers["content-type"], type, path);
    t.equal(answer.headers["content-length"], length, path);
    const body = await answers[path]!().text();
    t.ok(answer.body === body, path);
    const head = await server.ask(`HEAD ${path}`);
    t.equal(head.headers["content-length"], length, path);
    t.ok(head.raw.endsWith("\r\n\r\n"));
  }
  t.strictSame(server.errors, []);
});

t.test("its bytes are the same on the wire, also when the handler uses them again", async (t) => {
  const data = Buffer.alloc(1 << 20);
  let turn = 0;
  const server = await serve(t, () => {
    data.fill(turn++);
    setImmediate(() => data.fill(255));
    return new Light(data);
  });
  const answers = await Promise.all(Array.from({ length: 20 }, () => server.ask()));
  const seen = answers.map(({ raw }) => {
    const body = raw.slice(raw.indexOf("\r\n\r\n") + 4);
    t.ok(body === body.charAt(0).repeat(1 << 20), "one answer, one content");
    return body.charCodeAt(0);
  });
  t.strictSame(
    seen.toSorted((a, b) => a - b),
    Array.from({ length: 20 }, (_, index) => index),
  );
});

t.test("it is sent once", async (t) => {
  const once = new Light("x");
  const nothing = new Light(null, { status: 204 });
  const read = new Light("x");
  await read.text();
  const answers: Record<string, Response> = { "/once": once, "/nothing": nothing, "/read": read };
  const server = await serve(t, (req) => answers[req.unparsedUri]);
  t.equal((await server.ask("GET /once")).body, "x");
  t.equal(once.bodyUsed, true);
  await t.rejects(once.text(), TypeError);
  t.throws(() => once.clone(), TypeError);
  for (const path of ["/once", "/read"]) t.equal((await server.ask(`GET ${path}`)).status, 500);
  t.match(server.errors, [{ code: "MODTS_BAD_ARGUMENT" }, { code: "MODTS_BAD_ARGUMENT" }]);
  for (const _ of [1, 2]) t.equal((await server.ask("GET /nothing")).status, 204);
});

t.test("as the global one, until another library replaces it", async (t) => {
  const own = Object.getOwnPropertyDescriptor(globalThis, "Response")!;
  t.teardown(() => Object.defineProperty(globalThis, "Response", own));
  installLightResponse();
  globalThis.Response = Real;
  t.equal(globalThis.Response, Real);
  installLightResponse();
  t.equal(globalThis.Response, Light);
  t.ok((await fetch("data:,x")) instanceof Response);
  t.strictSame(Object.keys(globalThis).includes("Response"), false);
});

t.test("of another type than the global one", async (t) => {
  t.equal(LightResponse.takeWhole(new Real("x")), undefined);
  t.equal(LightResponse.takeWhole(new Light(new Blob(["x"]))), undefined);
  t.equal(LightResponse.takeWhole(new Light()), null);
});
