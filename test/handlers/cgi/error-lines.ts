/** Standard error, in lines. */
import { Readable } from "node:stream";
import t from "tap";
import { logErrorLines } from "../../../src/handlers/cgi/error-lines.ts";

async function linesOf(...chunks: string[]): Promise<string[]> {
  const lines: string[] = [];
  const bytes = chunks.map((chunk) => Buffer.from(chunk, "latin1"));
  await logErrorLines(Readable.from(bytes), (line) => lines.push(line));
  return lines;
}

t.test("lines, however they come", async (t) => {
  t.same(await linesOf("a\nb", "c\r\n", "\nlast"), ["a", "bc", "last"]);
  t.same(await linesOf("\xc3", "\xbc\n"), ["ü"], "a character in two chunks");
  t.same(await linesOf(), []);
});

t.test("long ones in parts, and not too many", async (t) => {
  const long = await linesOf("x".repeat(10_000));
  t.same(
    long.map((line) => line.length),
    [4096, 4096, 1808],
  );
  const many = await linesOf("x\n".repeat(150), "y\n".repeat(1000));
  t.equal(many.length, 201);
  t.equal(many.at(-1), "further lines are not logged");
});

t.test("a stream that is torn", async (t) => {
  const lines: string[] = [];
  const stream = new Readable({ read() {} });
  const done = logErrorLines(stream, (line) => lines.push(line));
  stream.push("said\n");
  setImmediate(() => stream.destroy(new Error("torn")));
  await done;
  t.same(lines, ["said"]);
});
