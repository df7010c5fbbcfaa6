import type { Connection } from "mod-ts";

/** Of this worker only; a real one would have a pool with one worker, or a database. */
const values = (import.meta.state["values"] ??= new Map()) as Map<string, string>;

/** A few commands of Redis, in its protocol: `redis-cli -p 7379 set planet Mars`. */
export async function connectionHandler(connection: Connection) {
  for (;;) {
    const command = await readCommand(connection);
    if (!command) return;
    await connection.write(answer(command));
  }
}

/** RESP: a list of strings, each with its length in bytes before it. */
async function readCommand(connection: Connection): Promise<string[] | undefined> {
  const count = lengthOf(await connection.readLine(), "*", 100);
  if (count === undefined) return undefined;
  const words: string[] = [];
  while (words.length < count) {
    const length = lengthOf(await connection.readLine(), "$", 65_536);
    if (length === undefined) return undefined;
    // With the line end after it.
    const bytes = await connection.read(length + 2);
    if (!bytes) return undefined;
    words.push(bytes.toString("utf8", 0, length));
  }
  return words;
}

/** A client may announce anything: what is held for it has a limit. */
function lengthOf(line: string | null, type: string, limit: number): number | undefined {
  if (line === null) return undefined;
  const length = line.startsWith(type) ? Number(line.slice(1)) : NaN;
  if (Number.isInteger(length) && length >= 0 && length <= limit) return length;
  throw new Error(`not RESP: ${JSON.stringify(line.slice(0, 20))}`);
}

function answer([name = "", key = "", value = ""]: string[]): string {
  switch (name.toUpperCase()) {
    case "PING":
      return "+PONG\r\n";
    case "SET":
      values.set(key, value);
      return "+OK\r\n";
    case "GET":
      return bulk(values.get(key));
    case "DEL":
      return `:${Number(values.delete(key))}\r\n`;
    case "DBSIZE":
      return `:${values.size}\r\n`;
    default:
      return `-ERR unknown command '${name.replaceAll(/[\r\n]/g, " ")}'\r\n`;
  }
}

function bulk(text: string | undefined): string {
  return text === undefined ? "$-1\r\n" : `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}
