import { existsSync, readdirSync } from "node:fs";
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { join } from "node:path";
import t, { type Test } from "tap";
import { BodyReader } from "../../../src/request/body/body.ts";
import type { Exchange } from "../../../src/request/exchange.ts";
import type { OnFile } from "../../../src/request/body/upload.ts";
import { FormEntries, type FormValue } from "../../../src/request/body/form.ts";
import { type FormLimits, formLimits } from "../../../src/request/body/form-limits.ts";
import { readMultipart } from "../../../src/request/body/multipart.ts";
import { TemporaryFiles } from "../../../src/request/body/temporary-files.ts";

type Options = Partial<FormLimits> & { onFile?: OnFile; boundary?: string };

/** Reads a body that comes in these chunks. `left()`: files on disk; `asked()`: how many chunks were taken. */
function start(test: Test, chunks: Iterable<string | Buffer | Error>, options: Options = {}) {
  const { onFile, boundary = "X", ...changes } = options;
  let asked = 0;
  const source = Readable.from(
    (async function* () {
      for (const chunk of chunks) {
        if (chunk instanceof Error) throw chunk;
        asked += 1;
        // As from a socket, where streams have a turn of their own now and then.
        if (asked % 100 === 0) await setImmediate();
        yield Buffer.from(chunk as string);
      }
    })(),
    { highWaterMark: 1 },
  );
  const folder = join(test.testdir({}), "tmp");
  const files = new TemporaryFiles(folder);
  const limits = { ...formLimits({}), ...changes };
  const entries = new FormEntries(limits);
  const reading = readMultipart(
    new BodyReader({ hasBody: true, body: () => source } as unknown as Exchange),
    `multipart/form-data; boundary=${boundary}`,
    { entries, limits, onFile, files: () => files },
  );
  const left = (): string[] => (existsSync(folder) ? readdirSync(folder) : []);
  return { done: reading.then(() => entries.list), left, asked: () => asked, files };
}

const part = (head: string, text: string): string =>
  `--X\r\nContent-Disposition: form-data; ${head}\r\n\r\n${text}\r\n`;
const file = (text: string, filename = "a.txt"): string =>
  part(`name="f"; filename="${filename}"`, text);
const end = "--X--\r\n";
const malformed = { message: /^The form is malformed/ };

const simple = (list: [string, FormValue][]): unknown[] =>
  list.map(([name, value]) =>
    typeof value === "string" ? [name, value] : [name, value.filename, value.size],
  );

t.test("wherever the body is cut, the form is the same", async (t) => {
  const body = Buffer.from(part('name="ä"', "ö\r\n--Y\r\n-") + file("x\r\n--\r\n\r\n", "ü") + end);
  const whole = [
    ["ä", "ö\r\n--Y\r\n-"],
    ["f", "ü", 9],
  ];
  for (const size of [1, 2, 3, 7, 16, 64, body.length]) {
    const pieces = Math.ceil(body.length / size);
    const chunks = Array.from({ length: pieces }, (_, n) =>
      body.subarray(n * size, (n + 1) * size),
    );
    t.strictSame(simple(await start(t, chunks).done), whole, `${size} bytes at a time`);
  }
});

t.test("preamble and epilogue are no fields, an empty form is a form", async (t) => {
  const body = `preamble\r\n${part('name="a"', "1")}${end}epilogue\r\n${part('name="b"', "2")}`;
  t.strictSame(await start(t, [body]).done, [["a", "1"]]);
  t.strictSame(await start(t, [end]).done, []);
  t.strictSame(await start(t, [`preamble\r\n${end}`]).done, []);
  t.strictSame(await start(t, [`preamble\r\n${end}`, part('name="a"', "1"), end]).done, []);
});

t.test("names and charsets of parts", async (t) => {
  const one = async (head: string, text = "v"): Promise<unknown> =>
    simple(await start(t, [Buffer.from(part(head, text), "latin1"), end]).done);
  t.strictSame(await one('name="a\\"b"'), [['a"b', "v"]]);
  t.strictSame(await one("name=plain"), [["plain", "v"]]);
  t.strictSame(await one('name=""'), [["", "v"]]);
  t.strictSame(await one('name="__proto__"'), [["__proto__", "v"]]);
  const latin = 'name="a"\r\nContent-Type: text/plain; charset=iso-8859-1';
  t.strictSame(await one(latin, "\xe4"), [["a", "ä"]]);
  t.strictSame(await one("name=f; filename*=UTF-8''..%2f..%2fetc%2fx%00.txt"), [["f", "x.txt", 1]]);
});

t.test("a part that is no form-data is skipped", async (t) => {
  const others = [
    "--X\r\nX: y\r\n\r\nlost\r\n",
    "--X\r\nContent-Disposition: attachment; name=a\r\n\r\nlost\r\n",
    "--X\r\n\r\nlost\r\n",
    '--X\r\nContent-Disposition: form-data; name="a',
    "\r\n",
  ];
  t.strictSame(await start(t, [...others, part('name="b"', "kept"), end]).done, [["b", "kept"]]);
});

t.test("broken forms are told, and nothing stays or waits", async (t) => {
  const long = "x".repeat(100_000);
  const broken: Record<string, readonly (string | Error)[]> = {
    nothing: [],
    "no boundary": ["text"],
    "another boundary": [file("1").replaceAll("--X", "--Y")],
    "line feeds alone": [`${part('name="a"', "1")}${end}`.replaceAll("\r", "")],
    "cut in the boundary": [file("1"), "--X-"],
    "cut in a header": [file("1"), "--X\r\nContent-Disposition: form-da"],
    "cut in a field": [part('name="a"', "1").slice(0, -2)],
    "cut in a file": [file(long).slice(0, -10)],
    "cut in a part that is skipped": ["--X\r\nX: y\r\n\r\nlost"],
    "no closing boundary": [file("1"), file("2")],
    "no name": [part("x=y", "1"), end],
    "a file without a name": [part('filename="a"', "1"), end],
  };
  for (const [name, chunks] of Object.entries(broken)) {
    const { done, left } = start(t, [file("first"), ...chunks]);
    await t.rejects(done, malformed, name);
    // What had come whole stays until the request is over; what was cut is removed at once.
    t.ok(left().length <= 3, `${name}: ${left().length} files`);
  }
  await t.rejects(start(t, [file("1"), new Error("gone")]).done, { code: "MODTS_BODY_ABORTED" });
  await t.rejects(start(t, [end], { boundary: "b".repeat(300) }).done, malformed);
});

t.test("a file that is cut is removed before the form rejects", async (t) => {
  const { done, left } = start(t, [file("x".repeat(100_000)).slice(0, -10), new Error("gone")]);
  await t.rejects(done, { code: "MODTS_BODY_ABORTED" });
  t.strictSame(left(), []);
});

t.test("over a limit it stops at once, however small the chunks are", async (t) => {
  const pieces = Array.from({ length: 2000 }, () => "y".repeat(10));
  const bodies: [string, Options, RegExp][] = [
    [file("x".repeat(20)), { fileBytes: 10 }, /file "a.txt" has more than 10 bytes/],
    [part('name="a"', "1").repeat(4), { fields: 2 }, /more than 2 fields/],
    [file("1").repeat(3), { files: 1 }, /more than 1 files/],
    [
      part(`name="${"n".repeat(99)}"`, "1").repeat(2),
      { nameBytes: 9 },
      /name "n{40}" … has more than 9 bytes/,
    ],
    [part(`name="${"n".repeat(40_000)}"`, "1").repeat(2), {}, /has more than 1024 bytes/],
    ["--X\r\nX: y\r\n\r\n\r\n".repeat(10), { fields: 1, files: 1 }, /too many parts/],
  ];
  for (const [body, options, message] of bodies) {
    const { done, asked, left } = start(t, [body, ...pieces, end], options);
    await t.rejects(done, { message });
    t.ok(asked() < 20, `${message}: ${asked()} chunks of 2000 taken`);
    t.ok(left().length <= 1, "what was cut is gone");
  }
});

t.test("parts after the one that is refused make no files", async (t) => {
  const { done, left } = start(t, [file("x".repeat(20)) + file("1").repeat(10) + end], {
    fileBytes: 10,
  });
  await t.rejects(done, { message: /10 bytes/ });
  t.strictSame(left(), []);
});

t.test("no chunk is remembered: a body in crumbs takes no memory", async (t) => {
  const crumbs = 50_000;
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const measure = async (): Promise<number> => {
    let before = 0;
    let growth = 0;
    function* chunks(): Iterable<string> {
      yield '--X\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n';
      for (let count = 0; count < crumbs; count += 1) {
        if (count === 1000) before = heap();
        if (count === crumbs - 1) growth = heap() - before;
        yield "x";
      }
      yield `\r\n${end}`;
    }
    const [entry] = simple(await start(t, chunks(), { onFile: () => {} }).done);
    t.strictSame(entry, ["f", "a", crumbs]);
    return growth;
  };
  const limit = 8 * 1024 ** 2;
  let growth = await measure();
  // Other files of the room may leave something on the heap; what is remembered is there each time.
  if (growth >= limit) growth = await measure();
  t.ok(growth < limit, `${growth} bytes more on the heap`);
});

t.test("a sink that stops reading does not stop the form", async (t) => {
  const body = [file("x".repeat(300_000)), file("y".repeat(300_000)), part('name="a"', "1"), end];
  const onFile: OnFile = async ({ stream }) => {
    for await (const _ of stream) break;
  };
  t.strictSame(simple(await start(t, body, { onFile }).done), [
    ["f", "a.txt", 300_000],
    ["f", "a.txt", 300_000],
    ["a", "1"],
  ]);
});

t.test("a slow sink slows the reading down", async (t) => {
  const piece = "x".repeat(65_536);
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const onFile: OnFile = async ({ stream }) => {
    await released;
    for await (const _ of stream);
  };
  const body = [
    file(piece).slice(0, -2),
    ...Array.from({ length: 100 }, () => piece),
    `\r\n${end}`,
  ];
  const { done, asked } = start(t, body, { onFile });
  for (let turn = 0; turn < 200; turn += 1) await setImmediate();
  t.ok(asked() < 10, `${asked()} chunks of 101 taken`);
  release();
  t.strictSame(simple(await done), [["f", "a.txt", 101 * 65_536]]);
});

t.test("what a sink throws, the form rejects with", async (t) => {
  const onFile: OnFile = ({ filename }) => {
    if (filename === "bad") throw new Error("not this one");
  };
  const { done } = start(t, [file("1", "good"), file("2", "bad"), end], { onFile });
  await t.rejects(done, { message: "not this one" });
});

t.test("a request that is over keeps no file", async (t) => {
  const { done, files, left } = start(t, [file("x".repeat(100_000)), end]);
  // The handler was given up while the file is being written.
  await setImmediate();
  await files.remove();
  await t.rejects(done, { code: "MODTS_UPLOAD_FAILED", message: /request is over/ });
  t.strictSame(left(), []);
});
