import { PassThrough } from "node:stream";
import t from "tap";
import { createMessage } from "../../../src/handlers/applications/node-message.ts";
import { serve } from "../../fixtures/exchange-server.ts";

t.test("the request as Node has it, and headers that Apache does not pass on", async (t) => {
  const server = await serve(t, async (req) => {
    const url = { base: "/a", rest: "/b", whole: "/a/b" };
    const message = createMessage(req, new PassThrough(), url, "Connection", "Upgrade");
    t.match(message, { method: "GET", url: "/b", baseUrl: "/a", originalUrl: "/a/b" });
    t.match(message.headers.connection, /Upgrade/);
    t.equal(message.apache, req);
    return 0;
  });
  await server.ask();
});
