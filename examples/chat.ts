import { OK, type ApacheRequest } from "mod-ts";
import type { WebSocket } from "ws";
import { page } from "./layout.ts";

const room = new Set<WebSocket>();

/** Sends each message to everybody in the room. */
export function webSocketHandler(socket: WebSocket, req: ApacheRequest) {
  room.add(socket);
  socket.on("close", () => room.delete(socket));
  socket.on("message", (text) => {
    for (const member of room) member.send(`${req.useragentIp}: ${String(text).slice(0, 500)}`);
  });
}

/** The page that opens the socket. */
export function handler(req: ApacheRequest) {
  req.contentType = "text/html";
  req.write(
    page(
      "Chat",
      `<p>Open this page twice: what you say here appears there.</p>
<form id="say"><input name="text" autocomplete="off" aria-label="Message" autofocus> <button>Send</button></form>
<ul id="heard" aria-live="polite"></ul>
<script>
const socket = new WebSocket(location.href.replace(/^http/, "ws"));
socket.onmessage = ({ data }) => {
  const line = document.createElement("li");
  line.textContent = data;
  heard.append(line);
};
say.onsubmit = (event) => {
  event.preventDefault();
  socket.send(say.text.value);
  say.reset();
};
</script>`,
    ),
  );
  return OK;
}
