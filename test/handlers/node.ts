/** One round from options to answer; the rest is in test/apache/node.ts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import t from "tap";
import { createNode } from "../../src/handlers/node.ts";
import { startEngine } from "../fixtures/gateway.ts";

const peer = await startEngine(t, {
  node: createNode(),
  app: {
    default: (message: IncomingMessage, response: ServerResponse) => response.end(message.url),
    boom: () => {
      throw new Error("boom");
    },
    pass: (_message: unknown, _response: unknown, next: () => void) => next(),
    object: {},
  },
});

const ask = (uri: string, ...options: string[]) =>
  peer.ask(["handler node", ...options.map((text) => `option mod_ts.node.${text}`)], {
    context: { uri, line: `GET ${uri} HTTP/1.1` },
  });

t.test("application and base", async (t) => {
  t.match(await ask("/a/b", "application app"), { status: 200, body: "/a/b" });
  t.match(await ask("/a/b", "application app", "base /a"), { status: 200, body: "/b" });
  t.match(await ask("/b/b", "application app", "base /a"), { status: 404 });
  t.match(await ask("/", "application app::pass"), { status: 404 });
});

t.test("mistakes", async (t) => {
  t.match(await ask("/"), { status: 500 });
  t.match(peer.log(), "MODTS_BAD_OPTION: Use TsOption mod_ts.node.application");
  t.match(await ask("/", "application app::boom"), { status: 500 });
  t.match(peer.log(), /mod_ts\/node app::boom failed in phase handler[^]*boom/);
  t.match(await ask("/", "application app::object"), { status: 500 });
  t.match(peer.log(), /MODTS_NOT_AN_APPLICATION: .*exports an object/);
});
