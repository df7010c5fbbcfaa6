/** Standard error of a script, line by line, for the log. */
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** Characters of a line; a longer one continues in the next. */
const lineLimit = 4096;
/** Attack: a script in a loop fills the disk, or hides the lines of others. */
const runLimit = 200;

/** Reads to the end and calls `write` for each line, at most 200 times. Never rejects. */
export async function logErrorLines(
  stream: Readable,
  write: (line: string) => void,
): Promise<void> {
  let lines = 0;
  const put = (line: string): void => {
    lines += 1;
    if (lines <= runLimit && line !== "") write(line);
    if (lines === runLimit + 1) write("further lines are not logged");
  };
  const decoder = new StringDecoder("utf8");
  let rest = "";
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      // Output over the limit is read, too, or the script would block.
      if (lines > runLimit) continue;
      rest = putLines(rest + decoder.write(chunk), put);
    }
  } catch {
    // The script was ended; its output up to then is all there is.
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
