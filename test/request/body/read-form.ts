/** Forms as they come over the wire: query, urlencoded, JSON, multipart; what is wrong with them, and their limits. */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import t from "tap";
import type { ApacheRequest, FormOptions, FormValue } from "../../../src/index.ts";
import { internals } from "../../../src/request/internals.ts";
import { type GatewayReply, startEngine } from "../../fixtures/gateway.ts";

const folder = mkdtempSync(join(tmpdir(), "mod-ts-forms-"));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const temporary = join(folder, "tmp");

const show = async (value: FormValue): Promise<unknown> =>
  typeof value === "string"
    ? value
    : {
        file: value.filename,
        raw: value.clientFilename,
        type: value.type,
        text: await value.text(),
      };

const reader = (options: FormOptions = {}) => ({
  async handler(req: ApacheRequest) {
    const form = await req.form(options);
    if (form !== (await req.form())) throw new Error("another form");
    const entries = [];
    for (const [name, value] of form) entries.push([name, await show(value)]);
    return Response.json(entries);
  },
});

const peer = await startEngine(
  t,
  {
    form: reader(),
    small: reader({
      fields: 3,
      nameBytes: 8,
      fieldBytes: 10,
      files: 1,
      fileBytes: 10,
      memoryBytes: 30,
    }),
    strict: reader({ requireLength: true }),
    sink: reader({
      async onFile({ stream, filename }) {
        if (filename === "skip.txt") return;
        if (filename === "bad.txt") throw new Error("not this one");
        for await (const _ of stream);
      },
    }),
  },
  { toolkit: { temporary } },
);

const ask = async (
  handler: string,
  type: string | undefined,
  body?: string,
  args = "",
): Promise<GatewayReply> =>
  peer.ask([`handler ${handler}`], {
    method: body === undefined ? "GET" : "POST",
    context: { args },
    ...(type !== undefined && { headers: { "Content-Type": type } }),
    ...(body !== undefined && { body }),
  });

/** The files are gone with the request, which is a moment after its response. */
async function emptied(): Promise<void> {
  while (readdirSync(temporary).length > 0) await setImmediate();
}

const urlencoded = "application/x-www-form-urlencoded";
const multipart = "multipart/form-data; boundary=X";
const part = (head: string, text: string): string =>
  `--X\r\nContent-Disposition: form-data; ${head}\r\n\r\n${text}\r\n`;
const entriesOf = ({ status, body }: GatewayReply): unknown =>
  status === 200 ? JSON.parse(body) : { status, body };

t.test("the query first, then the body; order, repeats and blanks kept", async (t) => {
  t.strictSame(entriesOf(await ask("form", urlencoded, "b=2&a=3&c=&d", "a=1&b=%C3%A4+%26")), [
    ["a", "1"],
    ["b", "ä &"],
    ["b", "2"],
    ["a", "3"],
    ["c", ""],
    ["d", ""],
  ]);
  t.strictSame(entriesOf(await ask("form", undefined, undefined, "a=1;b=2&__proto__=x&%=%zz")), [
    ["a", "1;b=2"],
    ["__proto__", "x"],
    ["%", "%zz"],
  ]);
  t.strictSame(entriesOf(await ask("form", undefined)), []);
});

t.test("charsets", async (t) => {
  const latin = `${urlencoded}; charset=ISO-8859-1`;
  t.strictSame(entriesOf(await ask("form", latin, "n%E4me=gr%FC%DFe+x&y")), [
    ["näme", "grüße x"],
    ["y", ""],
  ]);
  t.match(await ask("form", `${urlencoded}; charset=klingon`, "a=1"), {
    status: 415,
    body: /klingon/,
  });
});

t.test("JSON", async (t) => {
  const json = "application/json";
  t.strictSame(
    entriesOf(await ask("form", json, '{"a":"x","b":[1,true],"c":null,"__proto__":"p"}')),
    [
      ["a", "x"],
      ["b", "1"],
      ["b", "true"],
      ["__proto__", "p"],
    ],
  );
  t.match(await ask("form", json, '{"a":{"b":1}}'), { status: 400, body: /"a"/ });
  t.match(await ask("form", json, "[1]"), { status: 400, body: /object/ });
  t.match(await ask("form", json, "{"), { status: 400, body: /not valid JSON/ });
});

t.test("multipart: fields, files, names", async (t) => {
  const body =
    part('name="note"', "zwei\r\nZeilen ä") +
    part('name="empty"; filename=""', "") +
    part('name="f"; filename="ä.txt"\r\nContent-Type: text/css', "body {}") +
    part('name="f"; filename="../../etc/cron.d/x"', "evil") +
    part('name="f"; filename="C:\\\\tmp\\\\y.txt"', "win") +
    part('name="f"; filename=".."', "dots") +
    "--X--\r\n";
  t.strictSame(entriesOf(await ask("form", multipart, body, "q=1")), [
    ["q", "1"],
    ["note", "zwei\r\nZeilen ä"],
    ["empty", ""],
    ["f", { file: "ä.txt", raw: "ä.txt", type: "text/css", text: "body {}" }],
    ["f", { file: "x", raw: "../../etc/cron.d/x", type: "text/plain", text: "evil" }],
    ["f", { file: "y.txt", raw: "C:\\tmp\\y.txt", type: "text/plain", text: "win" }],
    ["f", { file: "file", raw: "..", type: "text/plain", text: "dots" }],
  ]);
  t.equal(statSync(temporary).mode & 0o777, 0o700);
  await emptied();
});

t.test("multipart that is broken is 400", async (t) => {
  const file = part('name="f"; filename="a"', "x".repeat(5000));
  const broken: Record<string, string> = {
    "no closing boundary": file,
    "cut in a file": file.slice(0, 3000),
    "cut in a header": '--X\r\nContent-Disposition: form-data; name="a',
    "no boundary in it": "nothing",
    "no name": `${part("x=y", "v")}--X--\r\n`,
  };
  for (const [name, body] of Object.entries(broken)) {
    t.match(await ask("form", multipart, body), { status: 400, body: /malformed/ }, name);
  }
  t.match(await ask("form", "multipart/form-data", file), { status: 400, body: /[Bb]oundary/ });
  await emptied();
});

t.test("limits are 413 and say which", async (t) => {
  const files = (...sizes: number[]): string =>
    sizes.map((size) => part('name="f"; filename="a.bin"', "x".repeat(size))).join("") +
    "--X--\r\n";
  const cases: [string, string, RegExp][] = [
    [urlencoded, "a=1&b=2&c=3&d=4", /more than 3 fields/],
    [urlencoded, "name56789=1", /name "name56789" … has more than 8 bytes/],
    [urlencoded, `a=${"x".repeat(11)}`, /field "a" has more than 10 bytes/],
    [urlencoded, `a=${"x".repeat(40)}`, /30 bytes without/],
    [multipart, `${part('name="a"', "x".repeat(11))}--X--\r\n`, /field "a" has more than 10 bytes/],
    [multipart, `${part('name="name56789"', "")}--X--\r\n`, /more than 8 bytes/],
    [multipart, files(11), /file "a\.bin" has more than 10 bytes/],
    [multipart, files(1, 1), /more than 1 files/],
    [multipart, `${part('name="a"', "").repeat(4)}--X--\r\n`, /more than 3 fields/],
  ];
  for (const [type, body, message] of cases) {
    t.match(await ask("small", type, body), { status: 413, body: message }, String(message));
  }
  await emptied();
});

t.test("10,000 fields of a query", async (t) => {
  const reply = await ask("form", undefined, undefined, "a=1&".repeat(10_000));
  t.match(reply, { status: 413, body: /more than 1000 fields/ });
});

t.test("411 where a length is wanted, 415 for what is no form", async (t) => {
  t.equal((await ask("strict", urlencoded, "a=1")).status, 200);
  t.match(await ask("form", "text/plain", "a=1"), { status: 415, body: /not as "text\/plain"/ });
  t.match(await ask("form", undefined, "a=1"), { status: 415, body: /nothing named/ });
});

t.test("onFile takes the bytes as they come", async (t) => {
  const file = (name: string): string => part(`name="f"; filename="${name}"`, "x".repeat(100_00));
  const both = await ask("sink", multipart, `${file("skip.txt")}${part('name="a"', "1")}--X--\r\n`);
  t.equal(both.status, 500, "the handler asks for the text of a file that is not kept");
  t.match(peer.log(), /upload\.bytes: the file was given to onFile/);
  t.equal((await ask("sink", multipart, `${file("bad.txt")}--X--\r\n`)).status, 500);
  t.match(peer.log(), /not this one/);
});

t.test("a body is read once, and left alone where it is no form", async (t) => {
  const once = await startEngine(t, {
    used: {
      async handler(req: ApacheRequest) {
        await req.text();
        await req.form();
      },
    },
    other: {
      async handler(req: ApacheRequest) {
        const refusals: number[] = [];
        for (const _ of [1, 2]) await req.form().catch((error) => refusals.push(error.outcome));
        return Response.json([...refusals, await req.text()]);
      },
    },
  });
  const post = (handler: string, type: string): Promise<GatewayReply> => {
    const headers = { "Content-Type": type };
    return once.ask([`handler ${handler}`], { method: "POST", headers, body: "a=1" });
  };
  t.equal((await post("used", urlencoded)).status, 500);
  t.match(once.log(), /MODTS_BODY_USED: .* already used by req\.text\(\)/);
  t.equal((await post("other", "text/csv")).body, '[415,415,"a=1"]');
  t.equal((await post("other", `${urlencoded}; charset=klingon`)).body, '[415,415,"a=1"]');
});

t.test(
  "a handler that was given up and asks late keeps no file, and waits for nothing",
  async (t) => {
    let told: (code: string) => void = () => {};
    const code = new Promise((resolve) => (told = resolve));
    const tell = (req: ApacheRequest): Promise<void> =>
      req.form().then(
        () => told("a form"),
        (error: { code: string }) => told(error.code),
      );
    const impatient = await startEngine(
      t,
      {
        late: {
          handler: async (req: ApacheRequest) => {
            while (!req[internals].isOver) await new Promise((wait) => setTimeout(wait, 1));
            return tell(req);
          },
        },
        closed: {
          async handler(req: ApacheRequest) {
            const state = req[internals];
            state.isOver = true;
            return Response.json(await req.form().catch((error) => error.message));
          },
        },
      },
      { toolkit: { temporary }, handlerTimeout: 20 },
    );
    const send = (...lines: string[]): Promise<GatewayReply> =>
      impatient.ask(lines, {
        method: "POST",
        headers: { "Content-Type": multipart },
        body: `${part('name="f"; filename="a"', "text")}--X--\r\n`,
      });
    t.equal((await send("handler late")).status, 504);
    t.equal(await code, "MODTS_BODY_ABORTED");
    t.match((await send("handler closed")).body, /the request is over/);
    t.strictSame(readdirSync(temporary), []);
  },
);
