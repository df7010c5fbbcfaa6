/**
 * What a script writes to standard error, line by line, for the log.
 * @module
 */
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** Bytes of a line; what is longer goes on in the next one. */
const lineLimit = 4096;
/** Lines of one run: a script in a loop must not fill the disk, nor hide what others have to say. */
const runLimit = 200;

/** Reads to the end, calls `write` for each line, at most 200 times. Never rejects. */
export async function logErrorLines(
  stream: Readable,
  write: (line: string) => void,
): Promise<void> {
  let lines = 0;
  const put = (line: string): void => {
    lines += 1;
    if (lines <= runLimit && line !== "") write(line);
    if (lines === runLimit + 1) write("and more, which is not logged");
  };
  const decoder = new StringDecoder("utf8");
  let rest = "";
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      // What is over the limit is taken all the same, or the script would stand still.
      if (lines > runLimit) continue;
      rest = putLines(rest + decoder.write(chunk), put);
    }
  } catch {
    // The script was ended: what it said before is all there is.
  }
  put(rest + decoder.end());
}

function putLines(text: string, put: (line: string) => void): string {
  const lines = text.split("\n");
  let rest = lines.pop() ?? "";
  for (const line of lines) put(line.replace(/\r$/, "").slice(0, lineLimit));
  for (; rest.length > lineLimit; rest = rest.slice(lineLimit)) put(rest.slice(0, lineLimit));
  return rest;
}
