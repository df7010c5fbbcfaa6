/** The floor of any FastCGI authorizer: waits for the end of the question, sends one fixed answer, closes. */
import { createServer } from "node:net";
import { FCGI_STDOUT, writeEndRequest, writeStream } from "../src/authorizer/fastcgi.ts";

const answer = Buffer.concat([
  writeStream(FCGI_STDOUT, 1, Buffer.from("Status: 200 OK\r\nVariable-REMOTE_USER: \r\n\r\n")),
  writeEndRequest(1, 0),
]);
/** An empty FCGI_PARAMS record, with which the question ends. */
const end = Buffer.from([1, 4, 0, 1, 0, 0, 0, 0]);

createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes) => {
    if (bytes.subarray(-8).equals(end)) socket.end(answer);
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
