import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { OK, type ApacheRequest, escapeHtml } from "mod-ts";
import { page, source } from "./layout.ts";

/** That of `redis.ts` in `mod-ts.config.ts`. */
const path = join(import.meta.dirname, ".mod-ts/redis.sock");

/** Sends a command to the server of `redis.ts`, and shows its reply. */
export async function handler(req: ApacheRequest) {
  const command = new URLSearchParams(req.args ?? "").get("command")?.slice(0, 500) ?? "";
  const reply = command.trim() === "" ? "" : await ask(command.trim().split(/\s+/));
  req.contentType = "text/html";
  req.write(
    page(
      "A protocol of its own",
      `<p><code>redis.ts</code> speaks the protocol of Redis on a socket of the sidecar, without Apache:</p>
<pre>redis-cli -s ${escapeHtml(path)} SUBSCRIBE news</pre>
<form><label>Command <input name="command" autocomplete="off" autofocus placeholder="PUBLISH news hello" value="${escapeHtml(command)}"></label> <button>Send</button></form>
<p>It knows PING, SET, GET, DEL, DBSIZE, SUBSCRIBE and PUBLISH.</p>
${reply && `<pre>${escapeHtml(reply)}</pre>`}
${source("redis.ts")}`,
    ),
  );
  return OK;
}

/** One command on a connection of its own, which then ends. */
async function ask(words: readonly string[]): Promise<string> {
  const socket = connect(path);
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  socket.end(`*${words.length}\r\n${parts.join("")}`);
  return text(socket);
}
