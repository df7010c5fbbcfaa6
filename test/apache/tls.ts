// TLS variables, opt-in by TsSslVariables, and the scheme as Apache knows it.
import { request } from "node:https";
import t from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { createCertificate } from "../fixtures/certificate.ts";
import { startEcho, temporaryFolder } from "../fixtures/httpd.ts";

t.test("over TLS", async (t) => {
  const folder = temporaryFolder(t);
  const { cert, key } = createCertificate(folder, "localhost");
  const port = await freePort("127.0.0.1");
  const apache = await startEcho(t, {
    modules: ["mod_ssl", "mod_socache_shmcb"],
    conf: `
      Listen 127.0.0.1:${port}
      <VirtualHost *:${port}>
        SSLEngine on
        SSLCertificateFile "${cert}"
        SSLCertificateKeyFile "${key}"
        <Location /x>
          Use TsHandler a.ts
          Use TsSslVariables
        </Location>
      </VirtualHost>
      <Location /plain>
        Use TsHandler a.ts
        Use TsSslVariables
      </Location>
    `,
  });
  await new Promise((resolve, reject) => {
    const sent = request({ port, path: "/x", rejectUnauthorized: false, agent: false }, resolve);
    sent.once("error", reject).end();
  });
  const seen = apache.backend.last();
  t.equal(seen.context[2], "https");
  const sent = new Map(
    seen.all("mod-ts-env").map((line) => {
      const [name = "", value = ""] = line.split(/=(.*)/s);
      return [name, Buffer.from(value, "base64").toString()];
    }),
  );
  t.match(sent.get("SSL_PROTOCOL"), /^TLSv1\.[23]$/);
  t.equal(sent.get("SSL_CLIENT_VERIFY"), "NONE");
  t.equal(sent.get("SSL_SERVER_S_DN_CN"), "localhost");
  t.notOk(sent.has("SSL_CLIENT_S_DN"), "there is no client certificate");
  await apache.request("/plain");
  t.strictSame(apache.backend.last().all("mod-ts-env"), []);
});
