import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import {
  FCGI_GET_VALUES_RESULT,
  FCGI_NULL_REQUEST_ID,
  FcgiConnection,
  writeRecord,
} from "../../../src/authorizer/fastcgi.ts";
import { probeListeners } from "../../../src/cli/commands/probe-listeners.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

async function listen(t: Test, server: Server, path?: string): Promise<string> {
  server.listen(path ?? { host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  t.teardown(() => server.close());
  return path ?? `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const ask = (transport: string, address: string): Promise<string[]> =>
  probeListeners([{ pool: "main", transport, address }]);

t.test("a gateway answers over HTTP", async (t) => {
  const paths: string[] = [];
  const good = createHttpServer((req, res) => {
    paths.push(req.url ?? "");
    res.end();
  });
  const path = await listen(t, good, join(shortFolder(t), "main.sock"));
  t.same(await ask("gateway", path), [], "a socket that answers");
  t.same(paths, ["/.mod-ts/health/live"], "asked for nothing that has an effect");
  const bad = createHttpServer((_, res) => res.writeHead(503).end());
  const address = await listen(t, bad);
  t.same(await ask("gateway", address), [`pool main does not answer on ${address}: status 503`]);
});

t.test("an authorizer answers in FastCGI", async (t) => {
  const good = createServer((socket) =>
    socket.once("data", (bytes: Buffer) => {
      const [event] = new FcgiConnection().push(bytes);
      const result = writeRecord(FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, Buffer.alloc(0));
      if (event?.type !== "close") socket.write(result);
    }),
  );
  t.same(await ask("authorizer", await listen(t, good)), [], "a question in the right format");
  const other = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  t.match(await ask("authorizer", await listen(t, other)), [/not FastCGI$/], "another server");
  const closing = createServer((socket) => socket.resume().end());
  t.match(await ask("authorizer", await listen(t, closing)), [/connection closed$/], "no answer");
});

t.test("other transports open a connection", async (t) => {
  const server = createServer((socket) => socket.on("error", () => {}).resume());
  t.same(await ask("decider", await listen(t, server)), [], "that suffices");
});

t.test("each listener that does not answer is named", async (t) => {
  const path = join(shortFolder(t), "gone.sock");
  const listeners = ["gateway", "authorizer", "decider"].map((transport) => ({
    pool: transport,
    transport,
    address: transport === "authorizer" ? "[::1]:1" : path,
  }));
  t.match(await probeListeners(listeners), [
    `pool gateway does not answer on ${path}: `,
    /^pool authorizer does not answer on \[::1\]:1: /,
    `pool decider does not answer on ${path}: `,
  ]);
});
