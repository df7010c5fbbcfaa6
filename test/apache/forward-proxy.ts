/** Guards of a forward proxy: `CONNECT` has an address without a slash. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_proxy_connect"],
  conf: `
    ProxyRequests On
    AllowCONNECT 1-65535
    <Proxy "*">
      AuthType mod_ts
      Use TsAccessHandler forward-proxy.ts
      Use TsOption mark "$1 100%%"
      Require valid-user
    </Proxy>
  `,
  files: { "htdocs/a.txt": "text" },
  handlers: { "forward-proxy.ts": handlerFile("forward-proxy.ts") },
});
const port = Number(new URL(apache.url).port);

for (const target of [`CONNECT 127.0.0.1:${port}`, `GET http://127.0.0.1:${port}/a.txt`]) {
  t.test(`the guard of ${target.split(" ")[0]} reads its options`, async (t) => {
    const client = new RawClient(port);
    client.head(`${target} HTTP/1.1`);
    t.match(await client.until(/^HTTP\/1\.[01] \d+ /), /^HTTP\/1\.[01] 200 /);
    client.leave();
  });
}
