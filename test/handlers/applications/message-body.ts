/** Bodies of messages, over a real connection. */
import { IncomingMessage } from "node:http";
import t from "tap";
import { ClientSocket } from "../../../src/handlers/applications/client-socket.ts";
import { MessageBody } from "../../../src/handlers/applications/message-body.ts";
import { createMessage } from "../../../src/handlers/applications/node-message.ts";
import { ModTsError } from "../../../src/base/errors.ts";
import { internals } from "../../../src/request/internals.ts";
import { bodyOf } from "../../../src/request/body/body.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";
import { serve } from "../../fixtures/exchange-server.ts";

const url = { base: "", rest: "/", whole: "/" };

function open(req: ApacheRequest): { message: IncomingMessage; body: MessageBody } {
  const message = createMessage(req, new ClientSocket(req), url);
  return { message, body: new MessageBody(message, req) };
}

t.test("the body, also when frameworks change the prototype", async (t) => {
  const server = await serve(t, async (req) => {
    const { message } = open(req);
    Object.setPrototypeOf(message, Object.create(IncomingMessage.prototype));
    t.notOk(bodyOf(req[internals]).used, "not before somebody reads");
    t.notOk(message.complete);
    const chunks = await message.toArray();
    t.ok(message.complete);
    req.write(Buffer.concat(chunks));
  });
  const text = "x".repeat(200_000);
  t.equal((await server.ask("POST /", text)).body, text);
});

t.test("without a body it ends at once", async (t) => {
  const server = await serve(t, async (req) => {
    t.strictSame(await open(req).message.toArray(), []);
  });
  await server.ask();
});

t.test("a body that somebody else has is an error", async (t) => {
  const server = await serve(t, async (req) => {
    await req.text();
    await t.rejects(open(req).message.toArray(), { code: "MODTS_BODY_USED" });
  });
  await server.ask("POST /", "x");
});

t.test("a body that is too large leaves the connection to the answer", async (t) => {
  const server = await serve(t, async (req) => {
    const { message } = open(req);
    const reading = message.toArray();
    const error = new ModTsError("MODTS_BODY_TOO_LARGE", { limit: 1 });
    bodyOf(req[internals]).claim("the application").destroy = () => undefined as never;
    bodyOf(req[internals]).claim("the application").emit("error", error);
    await t.rejects(reading, { code: "MODTS_BODY_TOO_LARGE", statusCode: 413 });
    t.notOk(message.socket.destroyed);
    req.write("answered");
  });
  t.equal((await server.ask("POST /", "xx")).body, "answered");
});

t.test("a message that is destroyed takes its socket along", async (t) => {
  const server = await serve(t, async (req) => {
    const { message } = open(req);
    message.socket.on("error", () => {});
    message.destroy(new Error("enough"));
    await new Promise((resolve) => message.once("close", resolve));
    t.ok(message.aborted);
    t.ok(message.socket.destroyed);
  });
  await server.ask("POST /", "xx");
});

t.test("after the response: unread ends, half read fails", async (t) => {
  const server = await serve(t, async (req) => {
    const { message, body } = open(req);
    if (req.unparsedUri === "/half") {
      message.once("readable", () => {});
      const failed = new Promise((resolve) => message.once("error", resolve));
      message.read(0);
      message.socket.on("error", () => {});
      body.drop();
      return t.match(await failed, { code: "ECONNRESET" });
    }
    const ended = new Promise((resolve) => message.once("end", resolve));
    body.drop();
    body.drop();
    await ended;
    t.notOk(bodyOf(req[internals]).used);
  });
  await server.ask("POST /", "x");
  await server.ask("POST /half", "x");
});
