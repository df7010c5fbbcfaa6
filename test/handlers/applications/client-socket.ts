/** The stand-in for a socket; how applications use it is in node-listener.ts and test/apache/node.ts. */
import { once } from "node:events";
import { ServerResponse } from "node:http";
import t from "tap";
import { ClientSocket } from "../../../src/handlers/applications/client-socket.ts";
import { internals } from "../../../src/request/internals.ts";
import { ApacheRequest } from "../../../src/request/request.ts";
import { contextOf, serve } from "../../fixtures/exchange-server.ts";

t.test("addresses are the client's", async (t) => {
  const socket = new ClientSocket(new ApacheRequest(contextOf(), { begun: false } as never));
  t.match(socket, {
    remoteAddress: "192.0.2.7",
    remotePort: 52110,
    remoteFamily: "IPv4",
    localPort: 80,
  });
  t.notOk("encrypted" in socket);
  const secure = contextOf({ scheme: "https", remoteAddress: "2001:db8::1", serverPort: 443 });
  const other = new ClientSocket(new ApacheRequest(secure, { begun: false } as never));
  t.match(other, { remoteFamily: "IPv6", encrypted: true, localPort: 443 });
  t.equal(other.setTimeout().setNoDelay().setKeepAlive().ref().unref(), other);
  t.strictSame(other.address(), { port: 443 });
  other.destroySoon();
  await once(other, "close");
});

t.test("takes heads off, also behind interim ones, and passes bodies on", async (t) => {
  const server = await serve(t, async (req) => {
    const socket = new ClientSocket(req);
    socket.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    socket.write(
      "HTTP/1.1 207 Many Kinds\r\nX-A: 1\r\nContent-Type: text/x\r\nX-A: 2\r\nX-C: a: b\r\n\r\nbo",
    );
    await new Promise((resolve) => socket.write(Buffer.from("dy\r\n\r\n"), resolve));
    t.ok(req[internals].response.begun, "a part that is followed by nothing is sent");
  });
  const answer = await server.ask();
  t.match(answer, {
    status: 207,
    reason: "Many Kinds",
    headers: { "x-a": "1|2", "x-c": "a: b", "content-type": "text/x" },
    body: "body\r\n\r\n",
  });
  t.notOk(answer.headers["link"]);
});

t.test("what cannot be sent is an error of the socket", async (t) => {
  const server = await serve(t, async (req) => {
    const socket = new ClientSocket(req);
    socket.write("HTTP/1.1 799 Odd\r\n\r\n");
    const [error] = await once(socket, "error");
    t.match(error, { code: "MODTS_BAD_ARGUMENT" });
  });
  await server.ask();
});

t.test("a response that ends at once goes out in one piece", async (t) => {
  const server = await serve(t, async (req) => {
    const socket = new ClientSocket(req);
    const response = new ServerResponse({
      method: "GET",
      httpVersionMajor: 1,
      httpVersionMinor: 1,
    } as never);
    socket.message = response;
    response.assignSocket(socket as never);
    response.end("short");
    await once(response, "finish");
    t.notOk(req[internals].response.begun);
  });
  t.match(await server.ask(), { headers: { "content-length": "5" }, body: "short" });
});
