import type { Connection } from "mod-ts";

/** Of this worker only; a real one would have a pool with one worker, or a database. */
const values = (import.meta.state["values"] ??= new Map()) as Map<string, string>;

/** Subscribers of each channel. */
const channels = (import.meta.state["channels"] ??= new Map()) as Map<string, Set<Connection>>;

/** Bytes that may wait for a subscriber that does not read. */
const longestQueue = 1024 * 1024;

/** A few commands of Redis, in its protocol: `redis-cli -p 7379 set planet Mars`. */
export async function connectionHandler(connection: Connection) {
  try {
    for (;;) {
      const command = await readCommand(connection);
      if (!command) return;
      await connection.write(answer(command, connection));
    }
  } finally {
    for (const name of channels.keys()) unsubscribe(name, connection);
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

function answer([name = "", key = "", value = ""]: string[], client: Connection): string {
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
    case "SUBSCRIBE":
      return subscribe(key, client);
    case "UNSUBSCRIBE":
      return unsubscribe(key, client);
    case "PUBLISH":
      return `:${publish(key, value)}\r\n`;
    default:
      return `-ERR unknown command '${name.replaceAll(/[\r\n]/g, " ")}'\r\n`;
  }
}

function subscribe(name: string, client: Connection): string {
  const clients = channels.get(name) ?? new Set<Connection>();
  channels.set(name, clients.add(client));
  return `*3\r\n${bulk("subscribe")}${bulk(name)}:${countOf(client)}\r\n`;
}

function unsubscribe(name: string, client: Connection): string {
  const clients = channels.get(name);
  clients?.delete(client);
  if (clients?.size === 0) channels.delete(name);
  return `*3\r\n${bulk("unsubscribe")}${bulk(name)}:${countOf(client)}\r\n`;
}

/** Channels that a client has subscribed to. */
function countOf(client: Connection): number {
  return [...channels.values()].filter((clients) => clients.has(client)).length;
}

/** The number of clients that get the message. One that does not read is closed, as in Redis. */
function publish(name: string, message: string): number {
  const clients = channels.get(name) ?? new Set<Connection>();
  for (const client of clients) {
    if (client.socket.writableLength > longestQueue) client.socket.destroy();
    else client.write(`*3\r\n${bulk("message")}${bulk(name)}${bulk(message)}`).catch(() => {});
  }
  return clients.size;
}

function bulk(text: string | undefined): string {
  return text === undefined ? "$-1\r\n" : `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}
