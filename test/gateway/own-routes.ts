/** Routes of the sidecar itself: who may ask, and what a mistake in a plugin does. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { createOwnRoutes, type OwnPlugin } from "../../src/gateway/own-routes.ts";

const secret = "0123456789abcdef";

async function serve(t: Test, given: string, plugins: readonly OwnPlugin[]): Promise<string> {
  const routes = createOwnRoutes(given, async () => plugins);
  const server = createServer(routes.listener).listen(0, "127.0.0.1");
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await routes.close();
  });
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const own: OwnPlugin = {
  name: "own.ts",
  plugin: async (app) => {
    app.get("/health/live", async () => "alive");
    app.get("/queue", async () => "7");
    app.get("/fails", async () => {
      throw new Error("secret detail");
    });
  },
};

t.test("only the secret opens a route; health needs none", async (t) => {
  const url = await serve(t, secret, [own]);
  const ask = async (path: string, given?: string): Promise<[number, string]> => {
    const headers = given === undefined ? {} : { "Mod-Ts-Secret": given };
    const response = await fetch(url + path, { headers });
    return [response.status, await response.text()];
  };
  t.same(await ask("/.mod-ts/queue", secret), [200, "7"]);
  t.same(await ask("/.mod-ts/health/live"), [200, "alive"]);
  for (const path of ["/.mod-ts/queue", "/.mod-ts/other", "/.mod-ts/health/live/x", "/queue"]) {
    t.equal((await ask(path))[0], 403, path);
    t.equal((await ask(path, "wrong"))[0], 403, path);
  }
  t.equal((await ask("/.mod-ts/other", secret))[0], 404);
  const [status, body] = await ask("/.mod-ts/fails", secret);
  t.equal(status, 500);
  t.notMatch(body, "secret detail");
});

t.test("without a secret there are no routes but health", async (t) => {
  const url = await serve(t, "", [own]);
  t.equal((await fetch(`${url}/.mod-ts/queue`)).status, 403);
  t.equal((await fetch(`${url}/.mod-ts/health/live`)).status, 200);
});

t.test("a plugin that fails is named", async (t) => {
  const plugin = async (): Promise<void> => {
    throw new Error("no queue");
  };
  const routes = createOwnRoutes(secret, async () => [{ name: "queue.ts", plugin }]);
  await t.rejects(routes.start(), {
    code: "MODTS_APPLICATION_FAILED",
    message: /queue\.ts.*no queue|no queue/,
  });
  await routes.close();
  const url = await serve(t, secret, [{ name: "queue.ts", plugin }]);
  t.equal((await fetch(`${url}/.mod-ts/queue`)).status, 500);
});
