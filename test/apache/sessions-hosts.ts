/** Sessions of virtual hosts that are told apart by their ports: the client chooses the name, not the site. */
import { request } from "node:http";
import t from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const ports = [await freePort("127.0.0.1"), await freePort("127.0.0.1")] as const;
const host = (port: number, name: string): string => `
  Listen 127.0.0.1:${port}
  <VirtualHost *:${port}>
    ServerName ${name}.example
    DocumentRoot "\${FOLDER}/htdocs/${name}"
    <Location "/">\nUse TsHandler session.ts\n</Location>
  </VirtualHost>`;

await startApache(t, {
  conf: host(ports[0], "public") + host(ports[1], "admin"),
  files: { "htdocs/public/a.txt": "a", "htdocs/admin/a.txt": "a" },
  handlers: {
    "session.ts": handlerFile("sessions-hosts-session.ts"),
  },
});

function ask(port: number, cookie = ""): Promise<{ body: string; cookie: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host: "public.example", cookie };
    request({ host: "127.0.0.1", port, headers, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += String(chunk)));
      const set = response.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
      response.on("end", () => resolve({ body, cookie: set }));
    })
      .on("error", reject)
      .end();
  });
}

t.test("a session of one virtual host is none of another, whatever Host says", async (t) => {
  const { cookie } = await ask(ports[0]);
  t.equal((await ask(ports[0], cookie)).body, "admin");
  t.equal((await ask(ports[1], cookie)).body, "undefined");
});
